// SPDX-License-Identifier: Apache-2.0
// C2SP tlog-proof (https://c2sp.org/tlog-proof): one entry's index, its inclusion proof and the
// checkpoint, in one text that verifies offline.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "aftune/tlog/checkpoint.h"

namespace aftune::tlog {

struct TlogProof {
  std::uint64_t index = 0;
  std::vector<Digest> path;
  std::string checkpoint_note;
  ByteBuffer extra{};  // opaque, authenticated by nothing; empty for none
};

std::string encode_tlog_proof(const TlogProof& proof);
/// Errors: kInvalidInput.
Result<TlogProof> decode_tlog_proof(std::string_view text);

/// Errors: kInvalidInput if the checkpoint is not by `key` or `leaf` is not at the index in it.
Status verify_tlog_proof(const TlogProof& proof, const Digest& leaf, const VerifierKey& key);

}  // namespace aftune::tlog
