// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/audit_cost.h"

#include <algorithm>

#include "aftune/audit/detection.h"

namespace aftune::audit {
namespace {

/// Layer blocks that are replayed together, as edges between them are not stored.
struct Group {
  std::uint64_t begin = 0, end = 0;
  double work_share = 0;
  std::uint64_t parameters = 0, edges = 0;
};

std::vector<Group> groups_of(const PlanGrid& grid) {
  double all = 0;
  for (const LayerBlock& block : grid.layer_blocks) all += static_cast<double>(block.work);
  std::vector<Group> out;
  for (std::uint64_t i = 0; i < grid.layer_blocks.size(); ++i) {
    if (i % grid.edge_interval == 0) out.push_back({i, i, 0, 0, 0});
    const LayerBlock& block = grid.layer_blocks[i];
    out.back().end = i + 1;
    out.back().work_share += static_cast<double>(block.work) / all;
    out.back().parameters += block.parameters;
    out.back().edges += block.inner_edges;
  }
  for (Group& group : out) {
    // Each line inside a group carries two tensors that are made, not opened: one for each side.
    group.edges -= std::min(group.edges, 2 * (group.end - group.begin - 1));
  }
  return out;
}

/// One audit's expectation over the grid.
class Expectation {
 public:
  Expectation(const PlanGrid& grid, std::uint64_t blocks)
      : grid_(grid),
        strategy_(grid.strategy == trace::Strategy::kStateChanges ? trace::Strategy::kUniform
                                                                  : grid.strategy),
        blocks_(blocks) {}

  AuditCost total() {
    const std::uint64_t columns = grid_.step_block_count();
    const std::uint64_t whole = columns / grid_.state_interval;
    const std::uint64_t rest = columns % grid_.state_interval;
    for (const Group& group : groups_of(grid_)) {
      if (whole > 0) add_intervals(group, grid_.state_interval, static_cast<double>(whole));
      if (rest > 0) add_intervals(group, rest, 1);
      // The first states are the base's parameters; what stands beside them is zero.
      cost_.bytes -=
          drawn(group, std::min(columns, grid_.state_interval)) *
          static_cast<double>(group.parameters * (grid_.state_bytes - grid_.parameter_bytes));
      const std::uint64_t short_by = columns * grid_.steps_per_block - grid_.steps;
      add_steps(group, -drawn(group, 1) * static_cast<double>(short_by));
    }
    return cost_;
  }

 private:
  /// Chance that one of `count` given step blocks of the group is drawn.
  double drawn(const Group& group, std::uint64_t count) const {
    BadBlocks asked(grid_.layer_blocks.size(), 0);
    std::fill(asked.begin() + static_cast<std::ptrdiff_t>(group.begin),
              asked.begin() + static_cast<std::ptrdiff_t>(group.end), count);
    return 1 - missed_probability(strategy_, grid_.step_block_count(), asked, blocks_);
  }

  /// `many` runs of `length` step blocks, the state before each of which is stored: a block is
  /// replayed if it or a later one of its run is drawn.
  void add_intervals(const Group& group, std::uint64_t length, double many) {
    double replays = 0;
    for (std::uint64_t left = 1; left <= length; ++left) replays += drawn(group, left);
    cost_.replays += many * replays * static_cast<double>(group.end - group.begin);
    add_steps(group, many * replays * static_cast<double>(grid_.steps_per_block));
    cost_.bytes +=
        many * drawn(group, length) * static_cast<double>(group.parameters * grid_.state_bytes);
  }

  void add_steps(const Group& group, double steps) {
    cost_.steps += steps * group.work_share;
    cost_.bytes += steps * static_cast<double>(group.edges * grid_.edge_bytes);
  }

  const PlanGrid& grid_;
  trace::Strategy strategy_;
  std::uint64_t blocks_;
  AuditCost cost_;
};

}  // namespace

AuditCost expected_cost(const PlanGrid& grid, std::uint64_t blocks) {
  return Expectation(grid, blocks).total();
}

}  // namespace aftune::audit
