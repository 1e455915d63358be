// SPDX-License-Identifier: Apache-2.0
// C2SP checkpoints (https://c2sp.org/tlog-checkpoint): origin, size and root of a log, signed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aftune/base/result.h"
#include "aftune/crypto/digest.h"
#include "aftune/tlog/note.h"

namespace aftune::tlog {

struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  Digest root;
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

/// The note text: three lines, no extension.
std::string checkpoint_text(const Checkpoint& checkpoint);

/// Errors: kInvalidInput for another form; extension lines are refused, because a draw is keyed
///         by this text and whoever may add a line may steer it.
Result<Checkpoint> parse_checkpoint_text(std::string_view text);

/// A checkpoint signed by the log's key, whose name is the origin.
SignedNote sign_checkpoint(const Checkpoint& checkpoint, const crypto::PrivateKey& key);

/// Errors: kInvalidInput if the note is malformed, has another origin than `key.name`, or is not
///         signed by `key`.
Result<Checkpoint> open_checkpoint(std::string_view note_text, const VerifierKey& key);

}  // namespace aftune::tlog
