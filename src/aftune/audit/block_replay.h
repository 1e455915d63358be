// SPDX-License-Identifier: Apache-2.0
// Replays the chosen blocks, and before them what makes things that are not there.
#pragma once

#include <functional>
#include <vector>

#include "aftune/audit/draw.h"
#include "aftune/audit/judge.h"
#include "aftune/numerics/engine.h"

namespace aftune::audit {

/// Every mismatch of a replayed block, chosen or rebuilt, is a finding. A state or an edge is used
/// only after its digest equals the committed one: docs/formats/audit.md, "Rebuilding".
void replay_blocks(const trace::Contract& contract, const numerics::Engine& engine,
                   trace::SideInputs& inputs, const trace::Openings& openings,
                   const std::vector<BlockIndex>& blocks,
                   const std::function<void(const ReplayedBlock&)>& on_block, Judge& judge,
                   Verdict& verdict);

}  // namespace aftune::audit
