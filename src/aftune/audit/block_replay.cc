// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/block_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace aftune::audit {
namespace {

/// A verified state and the place that it belongs to.
struct Carried {
  BlockIndex at;
  train::BlockState state;
};

/// Walks the grid along one layer block at a time.
struct Walk {
  const trace::Timeline timeline;
  const trace::Openings& openings;
  trace::Replayer replayer;
  const std::function<void(const ReplayedBlock&)>& on_block;
  Judge& judge;
  Verdict& verdict;
  std::optional<Carried> carried;
  double opening_seconds = 0;  // of the state that the next replay starts from

  /// Makes carried.at == `target` by opening and replaying; false if that is not possible.
  bool reach(const BlockIndex& target);
  bool open(const BlockIndex& at);
  bool step(bool rebuilt_only);
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string place_of(const BlockIndex& block) {
  return fmt::format("layer block {}, step block {}", block.layer_block, block.step_block);
}

bool Walk::open(const BlockIndex& at) {
  carried.reset();
  const auto start = std::chrono::steady_clock::now();
  Result<train::BlockState> state = openings.state(at.layer_block, at.step_block);
  if (!state) {
    judge.weigh(at.step_block == 0 ? Check::kBase : Check::kOpening, place_of(at), state.error());
    return false;
  }
  carried = Carried{at, *std::move(state)};
  opening_seconds = seconds_since(start);
  return true;
}

bool Walk::step(bool rebuilt_only) {
  const BlockIndex at = carried->at;
  const auto start = std::chrono::steady_clock::now();
  const auto mismatches = replayer.replay(at.layer_block, at.step_block, carried->state);
  ReplayedBlock block{at.layer_block, at.step_block, false, rebuilt_only, 0};
  block.seconds = seconds_since(start) + std::exchange(opening_seconds, 0);
  if (!mismatches) {
    judge.weigh(Check::kOpening, place_of(at), mismatches.error());
  } else {
    for (const trace::Mismatch& mismatch : *mismatches) judge.reject(mismatch);
    block.held = mismatches->empty();
  }
  verdict.blocks.push_back(block);
  if (on_block) on_block(block);
  if (block.held) {
    ++carried->at.step_block;
  } else {
    carried.reset();
  }
  return block.held;
}

bool Walk::reach(const BlockIndex& target) {
  const std::uint64_t from = timeline.stored_before(target.step_block);
  const bool usable = carried && carried->at.layer_block == target.layer_block &&
                      carried->at.step_block <= target.step_block;
  // A stored start is always opened, even where a replay has just made it: it is evidence too.
  if ((!usable || carried->at.step_block < from || from == target.step_block) &&
      !open({target.layer_block, from})) {
    return false;
  }
  while (carried->at.step_block < target.step_block) {
    if (!step(true)) return false;
  }
  return true;
}

}  // namespace

void replay_blocks(const trace::Contract& contract, const numerics::Engine& engine,
                   trace::SideInputs& inputs, const trace::Openings& openings,
                   std::vector<BlockIndex> blocks,
                   const std::function<void(const ReplayedBlock&)>& on_block, Judge& judge,
                   Verdict& verdict) {
  std::sort(blocks.begin(), blocks.end());
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  Walk walk{trace::Timeline(contract),
            openings,
            trace::Replayer(contract, engine, inputs, openings),
            on_block,
            judge,
            verdict,
            std::nullopt};
  for (const BlockIndex& block : blocks) {
    if (walk.reach(block)) walk.step(false);
  }
}

}  // namespace aftune::audit
