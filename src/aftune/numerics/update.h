// SPDX-License-Identifier: Apache-2.0
// Gradient norm and optimizer updates. Definitions: docs/formats/exact-arithmetic.md, "update".
#pragma once

#include <cstdint>
#include <span>

#include "aftune/base/result.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/update_scalars.h"

namespace aftune::numerics {

/// The sum of the squares of a tensor in fp64: 64 lanes in chunks of 65536, chunks ascending.
double sum_of_squares(const Engine& engine, std::span<const float> values);

/// `step` counts from 1. beta^step by binary powering in fp64.
AdamWScalars adamw_scalars(double lr, double beta1, double beta2, double eps, double weight_decay,
                           std::uint64_t step, float clip);

/// PyTorch's AdamW in place; m or v smaller in size than 2^-100 become +0.
/// Errors: kNonFinite if a new value is not finite; the three tensors are unspecified then, and
///         the run ends before anything of the step is committed.
Status adamw(const Engine& engine, const AdamWScalars& scalars, std::span<const float> gradient,
             std::span<float> parameter, std::span<float> m, std::span<float> v);

/// PyTorch's SGD in place (dampening 0), with Nesterov's momentum if the scalars say so.
/// buffer = momentum * buffer + g with a zero buffer at the start; a buffer value smaller in size
/// than 2^-100 becomes +0. Errors: as adamw.
Status sgd(const Engine& engine, const SgdScalars& scalars, std::span<const float> gradient,
           std::span<float> parameter, std::span<float> buffer);

}  // namespace aftune::numerics
