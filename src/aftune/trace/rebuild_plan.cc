// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/rebuild_plan.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "aftune/trace/timeline.h"

namespace aftune::trace {
namespace {

using train::EdgeKind;

/// Of one step: three products, forward and backward, for each matrix that multiplies.
double step_cost(const Contract& contract, const model::Partition& partition, std::uint32_t block) {
  double elements = 0;
  for (const TensorSpec& spec : model::block_parameters(contract.architecture, partition, block)) {
    const bool looked_up =
        spec.name == "model.embed_tokens.weight" && !contract.architecture.tied_embeddings;
    if (spec.shape.size() != 2 || looked_up) continue;
    elements += static_cast<double>(spec.shape[0]) * static_cast<double>(spec.shape[1]);
  }
  return 3 * elements * static_cast<double>(contract.batch.batch * contract.sequence());
}

/// Sets that only grow together.
class Joined {
 public:
  explicit Joined(std::uint32_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), 0U);
  }
  std::uint32_t root(std::uint32_t i) const {
    while (parent_[i] != i) i = parent_[i];
    return i;
  }
  /// The smaller root stays: a set is named by its lowest member.
  void join(std::uint32_t a, std::uint32_t b) {
    a = root(a);
    b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::uint32_t> parent_;
};

/// The blocks to replay in one step block.
struct Row {
  std::set<std::uint32_t> blocks;
  Joined groups;
};

class Planner {
 public:
  Planner(const Contract& contract, const Stock& stock)
      : timeline_(contract),
        stock_(stock),
        partition_(contract.partition()),
        columns_(partition_.block_count) {
    for (std::uint32_t block = 0; block < partition_.block_count; ++block) {
      step_costs_.push_back(step_cost(contract, partition_, block));
    }
  }

  void ask(const GridBlock& block, Asked asked) {
    Row& row = row_of(block.step_block);
    if (asked == Asked::kReplay) {
      row.blocks.insert(block.layer_block);
      return;
    }
    for (const std::uint32_t source : edge_sources(block)) row.blocks.insert(source);
    if (!state_is_there(block)) {
      row_of(block.step_block - 1).blocks.insert(block.layer_block);
    }
  }

  RebuildPlan plan() {
    if (rows_.empty()) return {};
    for (std::uint64_t j = rows_.rbegin()->first + 1; j-- > 0;) {
      if (rows_.contains(j)) complete(j);
    }
    return in_order();
  }

 private:
  Row& row_of(std::uint64_t step_block) {
    return rows_.try_emplace(step_block, Row{{}, Joined(partition_.block_count)}).first->second;
  }

  bool state_is_there(const GridBlock& block) const {
    return block.step_block == 0 || stock_.has_state(block.layer_block, block.step_block);
  }

  /// The blocks that make what this block takes over edges and is not there.
  std::vector<std::uint32_t> edge_sources(const GridBlock& block) const {
    std::vector<std::uint32_t> out;
    const auto last = static_cast<std::uint32_t>(partition_.segments.size() - 1);
    for (const std::uint32_t s : partition_.segments_of(block.layer_block)) {
      if (s > 0 && !stock_.has_edge(EdgeKind::kActivation, s, block.step_block)) {
        out.push_back(partition_.segments[s - 1].block);
      }
      if (s < last && !stock_.has_edge(EdgeKind::kGradient, s + 1, block.step_block)) {
        out.push_back(partition_.segments[s + 1].block);
      }
    }
    return out;
  }

  /// Adds the sources of the row's blocks, and those of their states to the row before.
  void complete(std::uint64_t step_block) {
    Row& row = row_of(step_block);
    std::vector<std::uint32_t> todo(row.blocks.begin(), row.blocks.end());
    while (!todo.empty()) {
      const std::uint32_t block = todo.back();
      todo.pop_back();
      for (const std::uint32_t source : edge_sources({block, step_block})) {
        row.groups.join(block, source);
        columns_.join(block, source);
        if (row.blocks.insert(source).second) todo.push_back(source);
      }
    }
    for (const std::uint32_t block : row.blocks) {
      if (!state_is_there({block, step_block})) row_of(step_block - 1).blocks.insert(block);
    }
  }

  /// Layer blocks that meet in some group stay together, and each such column runs through time.
  RebuildPlan in_order() const {
    RebuildPlan out;
    for (std::uint32_t column = 0; column < partition_.block_count; ++column) {
      if (columns_.root(column) != column) continue;
      for (const auto& [step_block, row] : rows_) {
        std::map<std::uint32_t, PlannedReplay> groups;
        for (const std::uint32_t block : row.blocks) {
          if (columns_.root(block) != column) continue;
          PlannedReplay& group = groups[row.groups.root(block)];
          group.step_block = step_block;
          group.blocks.push_back(block);
          group.opened.push_back(state_is_there({block, step_block}));
          group.cost += step_costs_[block] * steps_of(step_block);
        }
        for (auto& [root, group] : groups) {
          out.cost += group.cost;
          out.replays.push_back(std::move(group));
        }
      }
    }
    return out;
  }

  double steps_of(std::uint64_t step_block) const {
    return static_cast<double>(timeline_.last_step(step_block) - timeline_.first_step(step_block));
  }

  const Timeline timeline_;
  const Stock& stock_;
  const model::Partition partition_;
  std::vector<double> step_costs_;     // by layer block
  Joined columns_;                     // over all step blocks
  std::map<std::uint64_t, Row> rows_;  // by step block
};

}  // namespace

Stock contract_stock(const Contract& contract) {
  const Timeline timeline(contract);
  return {[timeline](std::uint32_t, std::uint64_t j) { return timeline.stored(j); },
          [timeline](EdgeKind, std::uint32_t edge, std::uint64_t) {
            return timeline.edge_stored(edge);
          }};
}

RebuildPlan plan_rebuild(const Contract& contract, const Stock& stock,
                         const std::vector<GridBlock>& blocks, Asked asked) {
  Planner planner(contract, stock);
  for (const GridBlock& block : blocks) planner.ask(block, asked);
  return planner.plan();
}

}  // namespace aftune::trace
