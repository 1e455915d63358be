// SPDX-License-Identifier: Apache-2.0
// The bias of a linear layer. Definition: docs/formats/exact-arithmetic.md, "Bias".
#pragma once

#include <span>

#include "aftune/numerics/engine.h"
#include "aftune/numerics/matrix.h"

namespace aftune::numerics {

// Shape letters: T token rows, N outputs.

/// Adds the bias to every row.
void add_bias(const Engine& engine, std::span<const float> bias_N, Matrix y_TN);
/// Adds the sum of dy's rows to d_bias.
void bias_grad(const Engine& engine, ConstMatrix dy_TN, std::span<float> d_bias_N);

}  // namespace aftune::numerics
