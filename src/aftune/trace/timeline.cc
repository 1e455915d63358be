// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/timeline.h"

#include <algorithm>

#include "aftune/base/check.h"

namespace aftune::trace {

Timeline::Timeline(const Contract& contract)
    : steps_(contract.steps),
      steps_per_block_(contract.grid.steps_per_block),
      interval_(contract.grid.state_interval),
      blocks_(contract.partition().block_count),
      edge_interval_(contract.grid.edge_interval) {}

std::uint64_t Timeline::step_blocks() const {
  return (steps_ + steps_per_block_ - 1) / steps_per_block_;
}

std::uint64_t Timeline::entry_count() const {
  return 1 + blocks_ * (step_blocks() + 1) + steps_ + 1;
}

std::uint64_t Timeline::first_step(std::uint64_t step_block) const {
  return step_block * steps_per_block_;
}

std::uint64_t Timeline::last_step(std::uint64_t step_block) const {
  return std::min(steps_, (step_block + 1) * steps_per_block_);
}

std::uint64_t Timeline::position_of_state(std::uint32_t block, std::uint64_t step_block) const {
  return 1 + blocks_ * step_block + std::min(steps_, steps_per_block_ * step_block) + block;
}

std::uint64_t Timeline::position_of_step(std::uint64_t step) const {
  return 1 + blocks_ * (step / steps_per_block_ + 1) + step;
}

Place Timeline::at(std::uint64_t position) const {
  AFTUNE_CHECK(position < entry_count(), "position outside the log");
  if (position == 0) return {EntryKind::kContract, 0, 0, 0};
  if (position == entry_count() - 1) return {EntryKind::kClose, 0, 0, 0};
  const std::uint64_t rest = position - 1;
  if (rest < blocks_) return {EntryKind::kState, static_cast<std::uint32_t>(rest), 0, 0};
  const std::uint64_t group = steps_per_block_ + blocks_;  // a full step block and its states
  const std::uint64_t j = (rest - blocks_) / group;
  const std::uint64_t inside = (rest - blocks_) % group;
  const std::uint64_t steps_here = last_step(j) - first_step(j);
  if (inside < steps_here) return {EntryKind::kStep, 0, 0, first_step(j) + inside};
  return {EntryKind::kState, static_cast<std::uint32_t>(inside - steps_here), j + 1, 0};
}

bool Timeline::stored(std::uint64_t step_block) const {
  return step_block > 0 && step_block < step_blocks() && step_block % interval_ == 0;
}

bool Timeline::edge_stored(std::uint32_t edge) const {
  return edge % edge_interval_ == 0 || edge == blocks_;  // an edge after the last block: tied head
}

std::uint64_t Timeline::stored_before(std::uint64_t step_block) const {
  std::uint64_t j = std::min(step_block, step_blocks());
  while (j > 0 && !stored(j)) --j;
  return j;
}

}  // namespace aftune::trace
