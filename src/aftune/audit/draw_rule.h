// SPDX-License-Identifier: Apache-2.0
// How a contract's draw goes for one run: strategy, and weights from what the run committed to.
#pragma once

#include <string>
#include <vector>

#include "aftune/audit/draw_order.h"
#include "aftune/trace/run_folder.h"

namespace aftune::audit {

/// The rule of the contract's strategy. Only kStateChanges reads the run: its step lists.
/// `entries` are the log's, of a closed run. Errors: those of trace::Openings.
Result<DrawRule> draw_rule(const trace::Contract& contract, const trace::RunFolder& run,
                           const std::vector<std::string>& entries);

}  // namespace aftune::audit
