// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aftune/audit/whole_run.h"
#include "aftune/numerics/engine.h"

namespace aftune::audit {

/// Replays the whole model from the newest stored states before the abort: it must leave the
/// finite numbers at the step and operation that the abort names; then the abort is proven and the
/// verdict stays open. A fault cannot be proven and stays open, too.
/// Returns: whether the abort is proven.
bool check_abort(const trace::Contract& contract, const numerics::Engine& engine,
                 trace::SideInputs& inputs, const trace::Openings& openings, const RunFacts& facts,
                 Judge& judge);

}  // namespace aftune::audit
