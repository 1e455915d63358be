// SPDX-License-Identifier: Apache-2.0
// Replays the chosen blocks, rebuilding start states that were not stored.
#pragma once

#include <functional>
#include <vector>

#include "aftune/audit/draw.h"
#include "aftune/audit/judge.h"
#include "aftune/numerics/engine.h"

namespace aftune::audit {

/// Every mismatch of a replayed block, drawn or rebuilt, is a finding. A state is used only after
/// its digests equal the committed ones.
void replay_blocks(const trace::Contract& contract, const numerics::Engine& engine,
                   trace::SideInputs& inputs, const trace::Openings& openings,
                   std::vector<BlockIndex> blocks,
                   const std::function<void(const ReplayedBlock&)>& on_block, Judge& judge,
                   Verdict& verdict);

}  // namespace aftune::audit
