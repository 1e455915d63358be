// SPDX-License-Identifier: Apache-2.0
// Carries out a plan of replays: the auditor's and the provider's way through the grid.
#pragma once

#include <vector>

#include "aftune/trace/replay.h"

namespace aftune::trace {

/// Hears how a plan goes.
class RebuildWatcher {
 public:
  virtual ~RebuildWatcher() = default;
  /// A state that was to be opened; its group is not replayed.
  virtual void on_unopened(const GridBlock& at, const Error& error) = 0;
  /// What a replay found, or why it could not go on, then at layer block `at_work`.
  /// `seconds`: opening its states included.
  virtual void on_replayed(const PlannedReplay& replay, const Result<std::vector<Mismatch>>& found,
                           std::uint32_t at_work, double seconds) = 0;
};

/// Replays in the plan's order. A replay that fails, finds a mismatch or lacks a state hands
/// nothing on: whatever would start from it is left out, the rest is done.
void carry_out(const RebuildPlan& plan, const Openings& openings, Replayer& replayer,
               RebuildWatcher& watcher);

}  // namespace aftune::trace
