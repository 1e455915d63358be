// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/layer_norm.h"

#include <algorithm>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/numerics/bias.h"
#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/internal/kernel_set.h"

namespace aftune::numerics {
namespace {

constexpr std::size_t kGrain = 16384;
constexpr std::size_t kColumnGrain = 64;  // what a kernel of weight gradients takes at once

std::size_t row_grain(std::size_t cols) {
  return std::max<std::size_t>(1, kGrain / std::max<std::size_t>(1, cols));
}

bool same_shape(ConstMatrix a, ConstMatrix b) { return a.rows == b.rows && a.cols == b.cols; }

template <typename Body>
void each_row(const Engine& engine, ConstMatrix x, const Body& body) {
  engine.pool().parallel_ranges(x.rows, row_grain(x.cols), [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) body(t);
  });
}

void check_weights(const LayerNormWeights& norm, ConstMatrix x) {
  AFTUNE_CHECK(norm.weight_D.size() == x.cols && norm.bias_D.size() == x.cols,
               "operands differ in shape");
}

/// Single multiplications: no instruction set can change their bits.
void multiply(const float* x, const float* scale, std::size_t count, float* y) {
  for (std::size_t i = 0; i < count; ++i) y[i] = x[i] * scale[i];
}

}  // namespace

void layer_norm(const Engine& engine, ConstMatrix x_TD, const LayerNormWeights& norm, Matrix y_TD) {
  AFTUNE_CHECK(same_shape(x_TD, y_TD), "operands differ in shape");
  check_weights(norm, x_TD);
  const ElementwiseKernels& kernels = engine.kernels().elementwise;
  each_row(engine, x_TD, [&](std::size_t t) {
    const float* x = x_TD.data + t * x_TD.stride;
    const LayerMoments moments = kernels.layer_moments(x, norm.eps, x_TD.cols);
    kernels.layer_norm_row(x, norm.weight_D.data(), norm.bias_D.data(), moments, x_TD.cols,
                           y_TD.data + t * y_TD.stride);
  });
}

void layer_norm_grad(const Engine& engine, ConstMatrix x_TD, const LayerNormWeights& norm,
                     ConstMatrix dy_TD, Matrix dx_TD, Store store, std::span<float> d_weight_D,
                     std::span<float> d_bias_D) {
  AFTUNE_CHECK(same_shape(x_TD, dy_TD) && same_shape(x_TD, dx_TD) &&
                   d_weight_D.size() == x_TD.cols && d_bias_D.size() == x_TD.cols,
               "operands differ in shape");
  check_weights(norm, x_TD);
  const ElementwiseKernels& kernels = engine.kernels().elementwise;
  std::vector<LayerMoments> moments(x_TD.rows);
  each_row(engine, x_TD, [&](std::size_t t) {
    moments[t] = kernels.layer_moments(x_TD.data + t * x_TD.stride, norm.eps, x_TD.cols);
  });
  // The weights first: dx may be dy.
  engine.pool().parallel_ranges(x_TD.cols, kColumnGrain, [&](std::size_t begin, std::size_t end) {
    kernels.layer_weight_grad(x_TD.data + begin, x_TD.stride, dy_TD.data + begin, dy_TD.stride,
                              moments.data(), x_TD.rows, end - begin, &d_weight_D[begin]);
  });
  bias_grad(engine, dy_TD, d_bias_D);
  each_row(engine, x_TD, [&](std::size_t t) {
    kernels.layer_grad_row(x_TD.data + t * x_TD.stride, norm.weight_D.data(),
                           dy_TD.data + t * dy_TD.stride, moments[t], x_TD.cols,
                           store == Store::kAdd, dx_TD.data + t * dx_TD.stride);
  });
}

void scale_columns(const Engine& engine, ConstMatrix x_TD, std::span<const float> scale_D,
                   Matrix y_TD) {
  AFTUNE_CHECK(same_shape(x_TD, y_TD) && scale_D.size() == x_TD.cols, "operands differ in shape");
  each_row(engine, x_TD, [&](std::size_t t) {
    multiply(x_TD.data + t * x_TD.stride, scale_D.data(), x_TD.cols, y_TD.data + t * y_TD.stride);
  });
}

void scale_columns_grad(const Engine& engine, ConstMatrix x_TD, std::span<const float> scale_D,
                        ConstMatrix dy_TD, Matrix dx_TD, std::span<float> d_scale_D) {
  AFTUNE_CHECK(same_shape(x_TD, dy_TD) && d_scale_D.size() == x_TD.cols,
               "operands differ in shape");
  const ElementwiseKernels& kernels = engine.kernels().elementwise;
  const std::vector<float> ones(x_TD.rows, 1.0f);  // x * 1 is x
  engine.pool().parallel_ranges(x_TD.cols, kColumnGrain, [&](std::size_t begin, std::size_t end) {
    kernels.rms_weight_grad(x_TD.data + begin, x_TD.stride, dy_TD.data + begin, dy_TD.stride,
                            ones.data(), x_TD.rows, end - begin, &d_scale_D[begin]);
  });
  scale_columns(engine, dy_TD, scale_D, dx_TD);
}

void column_means(const Engine& engine, ConstMatrix x_TD, std::span<float> mean_D) {
  std::fill(mean_D.begin(), mean_D.end(), 0.0f);
  bias_grad(engine, x_TD, mean_D);
  divide_by_count(mean_D, x_TD.rows, mean_D);
}

void divide_by_count(std::span<const float> in, std::size_t divisor, std::span<float> out) {
  AFTUNE_CHECK(in.size() == out.size() && divisor >= 1, "operands differ in shape");
  const auto count = static_cast<float>(divisor);
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = in[i] / count;
}

}  // namespace aftune::numerics
