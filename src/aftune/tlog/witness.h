// SPDX-License-Identifier: Apache-2.0
// What a witness answers to a checkpoint (https://c2sp.org/tlog-witness, add-checkpoint), as a
// state machine without files and sockets. Rules: docs/formats/witness.md section 3.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/tlog/checkpoint.h"

namespace aftune::tlog {

/// A request: the checkpoint that the asker believes cosigned last, the way to the new one.
struct AddCheckpoint {
  std::uint64_t old_size = 0;
  std::vector<Digest> proof;
  std::string note;
};

std::string encode_add_checkpoint(const AddCheckpoint& request);
/// Errors: kInvalidInput for another form or over 63 hashes. The note is not looked at.
Result<AddCheckpoint> decode_add_checkpoint(std::string_view text);

enum class WitnessAnswer : std::uint8_t {
  kAccepted,
  kMalformed,
  kUnknownLog,
  kBadSignature,
  kOldTooLarge,
  kConflict,
  kBadProof,
};
std::string_view answer_name(WitnessAnswer answer);  // "conflict", ...
/// The status of HTTP that C2SP gives to the answer.
unsigned http_status(WitnessAnswer answer);

struct WitnessDecision {
  WitnessAnswer answer = WitnessAnswer::kMalformed;
  Checkpoint checkpoint;          // of the note; set if accepted
  std::uint64_t latest_size = 0;  // cosigned last, which an asker in conflict must start from
  std::string reason;             // for people; empty if accepted
};

/// What a witness knows of each log. consider() changes nothing: whoever asks makes an accepted
/// checkpoint durable, then calls accept(), and only then lets a cosignature out.
/// Threads: one at a time between consider() and accept().
class Witness {
 public:
  /// Watches a log whose checkpoint cosigned last is `latest`. Requires: its origin is not watched.
  void watch(VerifierKey log, std::optional<Checkpoint> latest);

  [[nodiscard]] WitnessDecision consider(const AddCheckpoint& request) const;
  /// Requires: consider() has just accepted it.
  void accept(const Checkpoint& checkpoint);

  /// Errors: kNotFound for an origin that is not watched.
  [[nodiscard]] Result<std::optional<Checkpoint>> latest(std::string_view origin) const;

 private:
  struct Watched {
    VerifierKey key;
    std::optional<Checkpoint> latest;
  };
  std::map<std::string, Watched, std::less<>> logs_;
};

}  // namespace aftune::tlog
