// SPDX-License-Identifier: Apache-2.0
// Layer norm, scaled columns and column means. Definitions: docs/formats/exact-arithmetic.md,
// "Norms".
#pragma once

#include <span>

#include "aftune/numerics/engine.h"
#include "aftune/numerics/matrix.h"

namespace aftune::numerics {

// Shape letters: T token rows, D width.

struct LayerNormWeights {
  std::span<const float> weight_D, bias_D;
  float eps = 0;
};

/// y = (x - mean) / sqrt(variance + eps) * weight + bias, row by row.
void layer_norm(const Engine& engine, ConstMatrix x_TD, const LayerNormWeights& norm, Matrix y_TD);
/// dx is written or added, and may be dy where it is written; d_weight and d_bias are added to.
/// Computes the moments of the rows again.
void layer_norm_grad(const Engine& engine, ConstMatrix x_TD, const LayerNormWeights& norm,
                     ConstMatrix dy_TD, Matrix dx_TD, Store store, std::span<float> d_weight_D,
                     std::span<float> d_bias_D);

/// y = x * scale, column by column. y may be x.
void scale_columns(const Engine& engine, ConstMatrix x_TD, std::span<const float> scale_D,
                   Matrix y_TD);
/// dx is written, and may be dy; d_scale is added to.
void scale_columns_grad(const Engine& engine, ConstMatrix x_TD, std::span<const float> scale_D,
                        ConstMatrix dy_TD, Matrix dx_TD, std::span<float> d_scale_D);

/// mean_D = the mean of the rows. The gradient of each row is d_mean / rows: divide_by_count().
void column_means(const Engine& engine, ConstMatrix x_TD, std::span<float> mean_D);
/// out = in / divisor, one rounding.
void divide_by_count(std::span<const float> in, std::size_t divisor, std::span<float> out);

}  // namespace aftune::numerics
