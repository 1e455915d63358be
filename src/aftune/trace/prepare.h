// SPDX-License-Identifier: Apache-2.0
// The provider's side of an audit: rebuilds ahead what a replay of given blocks takes and is not in
// the store, and puts it there, so that the audit has nothing to rebuild.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "aftune/numerics/engine.h"
#include "aftune/trace/rebuild_plan.h"
#include "aftune/trace/run_folder.h"

namespace aftune::trace {

/// A block that was replayed on the way.
struct PreparedBlock {
  GridBlock at;
  double seconds = 0;
};

struct PrepareReport {
  std::uint64_t replays = 0;             // blocks
  double cost = 0;                       // of the plan
  std::uint64_t objects = 0, bytes = 0;  // put into the store
};

/// Writes nothing but objects, each equal to its commitment; what an earlier call stored is not
/// made again. Objects that the grid stores and that were lost are put back where a replay passes.
/// Requires: blocks inside the grid. `entries` are the log's.
/// Errors: kCorrupt if a rebuilt block is not what was committed, naming it; those of Openings and
///         SideInputs; kUnavailable if another process works on the run, or for a full disk.
Result<PrepareReport> prepare_blocks(
    const Contract& contract, const RunFolder& run, const std::vector<std::string>& entries,
    const std::vector<GridBlock>& blocks, const numerics::Engine& engine,
    const std::function<void(const PreparedBlock&)>& on_block = {});

}  // namespace aftune::trace
