// SPDX-License-Identifier: Apache-2.0
// The lying provider of aftune/attack in the tests' worlds.
#pragma once

#include "aftune/attack/lying_provider.h"
#include "tiny_world.h"

namespace aftune::liar {

using attack::add_noise;
using attack::Lies;
using attack::States;

/// A run told under the world's contract.
trace::RunFolder tell(const World& world, const Lies& lies);

/// Tells the lie and audits all blocks. The world's honest run is accepted in passing.
audit::Verdict caught(const World& world, const Lies& lies);

}  // namespace aftune::liar
