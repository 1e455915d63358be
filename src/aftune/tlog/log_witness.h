// SPDX-License-Identifier: Apache-2.0
// A witness of one log with its state in a folder: docs/formats/witness.md section 4.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/crypto/ed25519.h"
#include "aftune/tlog/cosignature.h"
#include "aftune/tlog/tiles.h"
#include "aftune/tlog/witness.h"

namespace aftune::tlog {

/// Threads: one at a time; one process for a folder, which a lock sees to.
class LogWitness {
 public:
  /// Opens or makes the state folder. Requires: `key` outlives the witness; `name` is a key name.
  /// Errors: kInvalidInput for a folder of another log or key; kCorrupt for a state that does not
  ///         hold; kUnavailable if another process works in it, or for I/O.
  static Result<LogWitness> open(const Path& folder, const VerifierKey& log,
                                 const crypto::PrivateKey& key, std::string name);

  /// What a look at the log came to.
  struct Look {
    std::vector<std::uint64_t> cosigned;  // sizes, each durable in `cosigned/`
    std::string refused;                  // why the log was refused; empty if it was not
    Path evidence;                        // where both notes are kept, if refused
  };
  /// Cosigns every checkpoint of `log` above the one accepted last, or that one again, at
  /// `seconds` since 1970; stops at one that does not continue it.
  /// Requires: `log` was read by the log's key.
  /// Errors: kUnavailable for I/O, and for a clock that stands before the last cosignature.
  Result<Look> look(const LogReading& log, std::uint64_t seconds);

  /// The size accepted last, 0 for none.
  [[nodiscard]] std::uint64_t size() const { return accepted_ ? accepted_->checkpoint.size : 0; }
  /// What it accepted last; empty for nothing.
  [[nodiscard]] std::optional<Checkpoint> accepted() const {
    return accepted_ ? std::optional(accepted_->checkpoint) : std::nullopt;
  }
  /// When it cosigned last, 0 for never.
  [[nodiscard]] std::uint64_t last_time() const { return last_time_; }
  [[nodiscard]] Path cosigned_folder() const { return folder_ / "cosigned"; }

 private:
  struct Accepted {
    Checkpoint checkpoint;
    std::string note;
  };
  LogWitness(Path folder, VerifierKey log, const crypto::PrivateKey& key, std::string name,
             FileLock lock);
  Status load();
  Status load_times();
  [[nodiscard]] bool has_cosigned(const Checkpoint& checkpoint) const;
  Status cosign_note(const Checkpoint& checkpoint, const std::string& note, std::uint64_t seconds);
  Status refuse(const LogReading& log, std::size_t index, std::string why, Look& look);

  Path folder_;
  VerifierKey log_;
  const crypto::PrivateKey* key_;  // borrowed: outlives the witness
  std::string name_;
  FileLock lock_;
  Witness witness_;
  std::optional<Accepted> accepted_;
  std::uint64_t last_time_ = 0;
};

}  // namespace aftune::tlog
