// SPDX-License-Identifier: Apache-2.0
// A client's challenge: the secret, the checkpoint it drew for, the drawn blocks.
// Bytes: docs/formats/challenge.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "aftune/audit/draw.h"

namespace aftune::audit {

struct Challenge {
  Digest contract;
  ByteBuffer secret;
  std::string checkpoint_note;  // with cosignatures
  std::vector<BlockIndex> blocks;

  [[nodiscard]] std::string payload() const;
};

/// A challenge whose signature and members hold for one contract. Whether the blocks are the
/// draw's needs the log as well: follows_from_draw().
struct SignedChallenge {
  Challenge challenge;
  tlog::Checkpoint checkpoint;
  Digest digest;
  std::string envelope;  // as stored
};

/// The envelope. `client`: the contract's client key.
std::string sign_challenge(const Challenge& challenge, const crypto::PrivateKey& client,
                           const std::string& name);

/// Errors: kInvalidInput for a malformed envelope, another contract, secret or checkpoint, fewer
///         blocks than the policy's or one outside the grid, and without the client's signature.
Result<SignedChallenge> open_challenge(std::string_view envelope, const trace::Contract& contract);

/// Errors: kInvalidInput, naming the first block that differs, unless the challenge's blocks are
///         the first of `order`.
Status follows_from_draw(const Challenge& challenge, const std::vector<BlockIndex>& order);

}  // namespace aftune::audit
