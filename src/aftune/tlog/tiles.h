// SPDX-License-Identifier: Apache-2.0
// A log in a folder in the layout of C2SP tlog-tiles (https://c2sp.org/tlog-tiles): hash tiles,
// entry bundles and the signed checkpoint. Which files, and the order in which they become
// durable: docs/formats/log.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/tlog/checkpoint.h"
#include "aftune/tlog/journal.h"
#include "aftune/tlog/tiled_tree.h"

namespace aftune::tlog {

/// Appends entries to a log folder. An entry is durable when append() returns; a checkpoint is
/// signed only over tiles that are. Signing again at one size writes nothing.
///
/// Threads: one at a time, and one writer for a folder: the caller sees to that.
class LogWriter {
 public:
  /// Opens or creates, and checks all that read_log does. Entries beyond the last signed
  /// checkpoint that reached the disk whole are kept and returned by entries(); a torn one is
  /// dropped. Requires: `key` outlives the writer; `origin` is a key name (is_key_name).
  /// Errors: kCorrupt if the stored tree contradicts a stored checkpoint or the journal does not
  ///         continue it; kInvalidInput if a checkpoint is not by `key` and `origin`;
  ///         kUnavailable.
  static Result<LogWriter> open(const Path& folder, std::string origin,
                                const crypto::PrivateKey& key);

  /// All entries so far, by index.
  [[nodiscard]] const std::vector<std::string>& entries() const { return tree_.entries(); }
  /// How many of them a signed checkpoint covers.
  [[nodiscard]] std::uint64_t signed_size() const { return signed_ ? signed_->size : 0; }

  /// Makes one more entry durable. Errors: kInvalidInput over 65535 bytes; kUnavailable, and then
  /// for every later call as well: open the log anew.
  Status append(std::string entry);
  /// Drops entries that no checkpoint covers, back to `size` entries.
  /// Requires: signed_size() <= size <= entries().size(). Errors: kUnavailable.
  Status truncate(std::uint64_t size);
  /// Writes all tiles of the present size, then signs and writes the checkpoint.
  /// Returns it. Errors: kUnavailable; append() and truncate() may give it ever after.
  Result<Checkpoint> sign();

 private:
  LogWriter(Path folder, std::string origin, const crypto::PrivateKey& key, Journal journal);
  Result<Checkpoint> write_checkpoint();
  Status load_signed();
  Status take_pending(const std::vector<Journal::Record>& records);

  Path folder_;
  std::string origin_;
  const crypto::PrivateKey* key_;  // borrowed: outlives the writer
  Journal journal_;                // the entries that no checkpoint covers
  TiledTree tree_;
  std::optional<Checkpoint> signed_;
};

/// A log as a reader finds it: every tile and bundle recomputed from the entries.
struct LogReading {
  Checkpoint checkpoint;             // the latest, its signature verified
  std::string checkpoint_note;       // as stored
  std::vector<std::string> entries;  // exactly checkpoint.size
  std::vector<Digest> leaf_hashes;
  std::vector<Checkpoint> history;  // every stored checkpoint, ascending by size, each verified
  std::vector<std::string> history_notes;  // of the same, as stored
};

/// Reads and verifies a log folder: signatures, entries against the root, tiles against the
/// entries, and each checkpoint of the history against the tree (growth).
/// Errors: kNotFound for a missing file; kCorrupt or kInvalidInput for bytes that do not hold,
///         naming the file; kUnavailable for I/O.
Result<LogReading> read_log(const Path& folder, const VerifierKey& key);

}  // namespace aftune::tlog
