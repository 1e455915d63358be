// SPDX-License-Identifier: Apache-2.0
// Which blocks a secret draws: docs/formats/audit.md, "Draw".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/bytes.h"
#include "aftune/base/file.h"
#include "aftune/tlog/checkpoint.h"
#include "aftune/trace/contract.h"

namespace aftune::audit {

/// A block of the grid. Its number in the permutation is step_block * layer blocks + layer_block.
struct BlockIndex {
  std::uint32_t layer_block = 0;
  std::uint64_t step_block = 0;
  friend auto operator<=>(const BlockIndex&, const BlockIndex&) = default;
};

/// All blocks in the order in which this secret draws them for this checkpoint.
std::vector<BlockIndex> draw_order(Bytes secret, std::string_view checkpoint_text,
                                   std::uint32_t layer_blocks, std::uint64_t step_blocks);

/// The 32 bytes of a secret file (64 hex digits and a newline).
/// Errors: kNotFound; kInvalidInput for another form or if they are not the contract's secret.
Result<ByteBuffer> read_secret(const Path& file, const trace::Contract& contract);

/// The final checkpoint for which a secret has drawn before: the note stored beside it.
struct PinnedCheckpoint {
  tlog::Checkpoint checkpoint;
  std::string note;
};

/// What `secret_file`.checkpoint holds; empty if there is none.
/// Errors: kInvalidInput for a note that the log's key did not sign, or one over another size than
///         a closed log of this contract has; kUnavailable.
Result<std::optional<PinnedCheckpoint>> read_pin(const Path& secret_file,
                                                 const trace::Contract& contract);

/// Stores the final checkpoint's note beside the secret before the secret is used, durably.
/// Errors: kInvalidInput if one stands there; kUnavailable.
Status write_pin(const Path& secret_file, std::string_view note);

}  // namespace aftune::audit
