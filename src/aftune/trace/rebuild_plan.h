// SPDX-License-Identifier: Apache-2.0
// Which blocks must be replayed to get from what is stored to what is asked:
// docs/formats/audit.md, "Rebuilding".
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <vector>

#include "aftune/trace/contract.h"
#include "aftune/train/step.h"

namespace aftune::trace {

/// Layer block during step block.
struct GridBlock {
  std::uint32_t layer_block = 0;
  std::uint64_t step_block = 0;
  friend auto operator<=>(const GridBlock&, const GridBlock&) = default;
};

/// What can be opened. A planner asks only for what the blocks that it considers take.
struct Stock {
  /// P(block, step_block), for 0 < step_block: every tensor of it.
  std::function<bool(std::uint32_t block, std::uint64_t step_block)> has_state;
  /// The edge's tensors of one kind: every step and micro-batch of the step block.
  std::function<bool(train::EdgeKind kind, std::uint32_t edge, std::uint64_t step_block)> has_edge;
};

/// The grid as its contract stores it, nothing lost and nothing rebuilt.
Stock contract_stock(const Contract& contract);

/// Blocks of one step block that make edges for each other and run their steps together.
struct PlannedReplay {
  std::uint64_t step_block = 0;
  std::vector<std::uint32_t> blocks;  // ascending
  std::vector<bool> opened;           // beside blocks: its state is opened, else handed on
  double cost = 0;  // multiply-adds of products with matrices; attention is not counted
  friend bool operator==(const PlannedReplay&, const PlannedReplay&) = default;
};

/// Replays in an order in which each state that is handed on has been made before, and is used by
/// the next replay of its layer block. Neighbours in the order share layer blocks, so few states
/// are alive at once.
struct RebuildPlan {
  std::vector<PlannedReplay> replays;
  double cost = 0;
};

/// What of a block is asked for.
enum class Asked {
  kReplay,  // the block itself: to be judged
  kInputs,  // what it takes: states and edges, so that it can be replayed alone
};

/// The smallest set of replays from `stock` to `asked`; empty if everything is there.
/// Requires: blocks inside the grid.
RebuildPlan plan_rebuild(const Contract& contract, const Stock& stock,
                         const std::vector<GridBlock>& blocks, Asked asked);

}  // namespace aftune::trace
