// SPDX-License-Identifier: Apache-2.0
// Where `aftune plan` learns of a grid: a contract, a job file, or figures.
#pragma once

#include <optional>

#include "aftune/audit/plan_grid.h"
#include "aftune/base/file.h"

namespace aftune::cli {

struct PlanSource {
  audit::PlanGrid grid;
  std::optional<std::uint64_t> policy_blocks;  // audit.blocks
};

/// A contract, signed or not, or a job file: what does not begin with '{'. Of a job only what a
/// plan needs is read: model, grid, steps, batch, text.sequence, optimizer, audit. Errors:
/// kInvalidInput naming file and member; kNotFound.
Result<PlanSource> read_plan_source(const Path& file);

/// The median of "seconds" in a run's metrics.jsonl. Errors: kNotFound; kInvalidInput.
Result<double> seconds_per_step(const Path& run);

}  // namespace aftune::cli
