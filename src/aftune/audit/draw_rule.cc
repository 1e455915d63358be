// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/draw_rule.h"

#include "aftune/trace/openings.h"

namespace aftune::audit {

Result<DrawRule> draw_rule(const trace::Contract& contract, const trace::RunFolder& run,
                           const std::vector<std::string>& entries) {
  DrawRule rule{contract.audit.strategy, {}};
  if (rule.strategy != trace::Strategy::kStateChanges) return rule;
  AFTUNE_TRY(const trace::Openings openings, trace::Openings::open(run, contract, entries));
  std::vector<StepMove> moves;
  moves.reserve(contract.steps);
  for (std::uint64_t step = 0; step < contract.steps; ++step) {
    AFTUNE_TRY(const trace::StepList list, openings.step_list(step));
    moves.push_back({list.learning_rate, list.clip, list.norm});
  }
  rule.weights = draw_weights(moves, contract.grid.steps_per_block);
  return rule;
}

}  // namespace aftune::audit
