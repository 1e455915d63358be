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
#include "aftune/tlog/merkle.h"

namespace aftune::tlog {

inline constexpr std::uint64_t kMaxEntryBytes = 65535;

/// "tile/entries/x001/234.p/7" and the like; `width` is 256 for a full tile.
std::string tile_path(std::string_view level, std::uint64_t index, unsigned width);

/// Appends entries to a log folder. Entries are durable before a checkpoint over them is signed.
/// Threads: one at a time.
class LogWriter {
 public:
  /// Opens or creates. Entries beyond the last signed checkpoint that reached the disk whole are
  /// kept and returned by entries(); torn ones are dropped.
  /// Errors: kCorrupt if the stored tree contradicts the stored checkpoint; kInvalidInput if the
  ///         checkpoint is not by `key` and `origin`; kUnavailable.
  static Result<LogWriter> open(const Path& folder, std::string origin,
                                const crypto::PrivateKey& key);

  /// All entries so far, by index.
  [[nodiscard]] const std::vector<std::string>& entries() const { return entries_; }
  /// How many of them a signed checkpoint covers.
  [[nodiscard]] std::uint64_t signed_size() const { return signed_size_; }

  /// Makes one more entry durable. Errors: kInvalidInput over 65535 bytes; kUnavailable.
  Status append(std::string entry);
  /// Drops entries that no checkpoint covers, back to `size` entries. Requires: size >= signed_size().
  Status truncate(std::uint64_t size);
  /// Writes all tiles of the present size, then signs and writes the checkpoint.
  /// Returns it. Errors: kUnavailable.
  Result<Checkpoint> sign();

 private:
  LogWriter(Path folder, std::string origin, const crypto::PrivateKey& key);
  Path folder_;
  std::string origin_;
  const crypto::PrivateKey* key_;  // borrowed: outlives the writer
  std::vector<std::string> entries_;
  std::vector<Digest> leaves_;
  std::uint64_t signed_size_ = 0;
};

/// A log as a reader finds it: every tile and bundle recomputed from the entries.
struct LogReading {
  Checkpoint checkpoint;             // the latest, its signature verified
  std::string checkpoint_note;       // as stored
  std::vector<std::string> entries;  // exactly checkpoint.size
  std::vector<Digest> leaf_hashes;
  std::vector<Checkpoint> history;   // every stored checkpoint, ascending by size, each verified
};

/// Reads and verifies a log folder: signatures, entries against the root, tiles against the
/// entries, and each checkpoint of the history against the tree (growth).
/// Errors: kNotFound for a missing file; kCorrupt or kInvalidInput for bytes that do not hold,
///         naming the file; kUnavailable for I/O.
Result<LogReading> read_log(const Path& folder, const VerifierKey& key);

}  // namespace aftune::tlog
