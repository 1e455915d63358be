// SPDX-License-Identifier: Apache-2.0
// The permutations that a draw may be: docs/formats/audit.md, "Draw".
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "aftune/base/bytes.h"
#include "aftune/trace/contract.h"

namespace aftune::audit {

/// A block of the grid. Its number in the permutation is step_block * layer blocks + layer_block.
struct BlockIndex {
  std::uint32_t layer_block = 0;
  std::uint64_t step_block = 0;
  friend auto operator<=>(const BlockIndex&, const BlockIndex&) = default;
};

/// How a secret draws. `weights`, one for each step block, is for kStateChanges only.
struct DrawRule {
  trace::Strategy strategy = trace::Strategy::kUniform;
  std::vector<unsigned> weights;
};

/// All blocks in the order in which this secret draws them for this checkpoint.
/// Requires: for kStateChanges step_blocks weights of 1 to 16.
std::vector<BlockIndex> draw_order(Bytes secret, std::string_view checkpoint_text,
                                   std::uint32_t layer_blocks, std::uint64_t step_blocks,
                                   const DrawRule& rule = {});

/// What one step says of how far it moved the states, as committed.
struct StepMove {
  double learning_rate = 0, clip = 0, norm = 0;
};

/// The weights of the step blocks, 1 to 16, from all steps in order.
/// Requires: steps_per_block >= 1.
std::vector<unsigned> draw_weights(const std::vector<StepMove>& steps,
                                   std::uint64_t steps_per_block);

}  // namespace aftune::audit
