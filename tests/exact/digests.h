// SPDX-License-Identifier: Apache-2.0
// The operations, a file each group. Every function prints lines "name digest", always the same
// names in the same order; the digests must not depend on the engine.
#pragma once

#include "aftune/numerics/engine.h"

namespace aftune::exact {

void product_digests(const numerics::Engine& engine);
void attention_digests(const numerics::Engine& engine);
/// The same without a mask.
void full_attention_digests(const numerics::Engine& engine);
/// What inference computes with: weights, keys and values that are quantised once.
void packed_digests(const numerics::Engine& engine);
/// Each elementwise kernel at lengths around its lanes, and the operations made of them.
void elementwise_digests(const numerics::Engine& engine);
/// Every function of one fp32 number at 2^20 of its inputs, one of each 4096 neighbours.
void sweep_digests(const numerics::Engine& engine);
void loss_digests(const numerics::Engine& engine);
void update_digests(const numerics::Engine& engine);
/// fp64 functions and philox: the same code whatever the engine.
void scalar_digests();
/// Whole steps of small models: forward, backward, clipping, update.
void training_digests(const numerics::Engine& engine);

}  // namespace aftune::exact
