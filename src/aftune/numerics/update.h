// SPDX-License-Identifier: Apache-2.0
// Gradient norm and optimizer updates. Definitions: docs/formats/exact-arithmetic.md, "update".
#pragma once

#include <span>

#include "aftune/base/result.h"
#include "aftune/numerics/engine.h"

namespace aftune::numerics {

/// The sum of the squares of a tensor in fp64 by 64 lanes over the flat index.
double sum_of_squares(const Engine& engine, std::span<const float> values);

/// The scalars of one AdamW step, all rounded to fp32 from fp64 by adamw_scalars().
struct AdamWScalars {
  float clip;        // factor on the gradient
  float beta1, one_minus_beta1;
  float beta2, one_minus_beta2;
  float step_size;   // lr / (1 - beta1^t)
  float root_bc2;    // sqrt(1 - beta2^t)
  float eps;
  float decay;       // 1 - lr * weight_decay
};

/// `step` counts from 1. beta^step by binary powering in fp64.
AdamWScalars adamw_scalars(double lr, double beta1, double beta2, double eps, double weight_decay,
                           std::uint64_t step, float clip);

/// PyTorch's AdamW in place; m or v smaller in size than 2^-100 become +0.
/// Errors: kNonFinite if a new value is not finite; the three tensors are unspecified then, and
///         the run ends before anything of the step is committed.
Status adamw(const Engine& engine, const AdamWScalars& scalars, std::span<const float> gradient,
             std::span<float> parameter, std::span<float> m, std::span<float> v);

struct SgdScalars {
  float clip;
  float lr;
  float decay;     // weight decay added to the gradient, as PyTorch's SGD has it
  float momentum;  // 0: none, `buffer` is not looked at
};

/// PyTorch's SGD in place (dampening 0, no Nesterov). buffer = momentum * buffer + g with a zero
/// buffer at the start. Errors: as adamw.
Status sgd(const Engine& engine, const SgdScalars& scalars, std::span<const float> gradient,
           std::span<float> parameter, std::span<float> buffer);

}  // namespace aftune::numerics
