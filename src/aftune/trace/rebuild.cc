// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/rebuild.h"

#include <map>
#include <set>

#include "aftune/base/stopwatch.h"

namespace aftune::trace {
namespace {

class Walk {
 public:
  Walk(const RebuildPlan& plan, const Openings& openings, Replayer& replayer,
       RebuildWatcher& watcher)
      : openings_(openings), replayer_(replayer), watcher_(watcher) {
    for (const PlannedReplay& replay : plan.replays) {
      for (std::size_t i = 0; i < replay.blocks.size(); ++i) {
        if (!replay.opened[i]) awaited_.insert({replay.blocks[i], replay.step_block});
      }
    }
  }

  void go(const PlannedReplay& replay) {
    const Stopwatch watch;
    std::vector<train::BlockState> states;
    if (!gather(replay, states)) return;
    std::vector<GroupMember> group;
    for (std::size_t i = 0; i < replay.blocks.size(); ++i) {
      group.push_back({replay.blocks[i], &states[i]});
    }
    const auto found = replayer_.replay(replay.step_block, group);
    watcher_.on_replayed(replay, found, replayer_.at_work(), watch.seconds());
    if (!found || !found->empty()) return;
    for (std::size_t i = 0; i < replay.blocks.size(); ++i) {
      const GridBlock next{replay.blocks[i], replay.step_block + 1};
      if (awaited_.contains(next)) carried_.emplace(next, std::move(states[i]));
    }
  }

 private:
  /// The group's states, opened or handed on; false if one is not to be had.
  bool gather(const PlannedReplay& replay, std::vector<train::BlockState>& states) {
    bool all = true;
    for (std::size_t i = 0; i < replay.blocks.size(); ++i) {
      const GridBlock at{replay.blocks[i], replay.step_block};
      if (!replay.opened[i]) {
        auto carried = carried_.extract(at);
        all = all && !carried.empty();
        if (!carried.empty()) states.push_back(std::move(carried.mapped()));
        continue;
      }
      Result<train::BlockState> state = openings_.state(at.layer_block, at.step_block);
      if (!state) watcher_.on_unopened(at, state.error());
      all = all && state;
      if (state) states.push_back(*std::move(state));
    }
    return all;
  }

  const Openings& openings_;
  Replayer& replayer_;
  RebuildWatcher& watcher_;
  std::set<GridBlock> awaited_;                     // states that are handed on
  std::map<GridBlock, train::BlockState> carried_;  // equal to their commitments
};

}  // namespace

void carry_out(const RebuildPlan& plan, const Openings& openings, Replayer& replayer,
               RebuildWatcher& watcher) {
  Walk walk(plan, openings, replayer, watcher);
  for (const PlannedReplay& replay : plan.replays) walk.go(replay);
}

}  // namespace aftune::trace
