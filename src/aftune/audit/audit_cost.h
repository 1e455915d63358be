// SPDX-License-Identifier: Apache-2.0
// What an audit is expected to cost: docs/guides/plan.md, "Cost".
#pragma once

#include "aftune/audit/plan_grid.h"

namespace aftune::audit {

/// Means over all draws of that many blocks.
struct AuditCost {
  double replays = 0;  // blocks replayed: drawn, and rebuilt for what is not stored
  double steps = 0;    // whole training steps that this is the work of
  double bytes = 0;    // opened: start states and edges; 0 if the grid does not know its sizes
};

/// For kStateChanges as if all weights were equal. Requires: blocks at most grid.block_count().
AuditCost expected_cost(const PlanGrid& grid, std::uint64_t blocks);

}  // namespace aftune::audit
