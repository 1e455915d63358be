// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/achieved.h"

#include "aftune/audit/threat.h"

namespace aftune::audit {

std::vector<Achieved> achieved_by(const trace::Contract& contract, std::uint64_t drawn) {
  const Threat threats[] = {{ThreatKind::kBlocks, 0, 1},
                            {ThreatKind::kBlocks, 0, 5},
                            {ThreatKind::kStepsSkipped, 0.5, 0}};
  const PlanGrid grid = plan_grid(contract);
  std::vector<Achieved> out;
  for (const Threat& threat : threats) {
    if (threat.count > 1 && threat.count >= grid.block_count()) continue;
    const Result<BadBlocks> bad = bad_blocks(threat, grid);
    if (!bad) continue;
    out.push_back({spell_threat(threat), count_of(*bad),
                   1 - missed_probability(grid.strategy, grid.step_block_count(), *bad, drawn)});
  }
  return out;
}

}  // namespace aftune::audit
