// SPDX-License-Identifier: Apache-2.0
// The kernels behind elementwise.h, loss.h and update.h, one set for each instruction set. Every
// set gives the same bits: docs/formats/exact-arithmetic.md defines each line of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aftune::numerics {

struct AdamWScalars;
struct SgdScalars;

/// bits & 0x7fffffff of an infinity: a value is finite if its own are below.
inline constexpr std::uint32_t kInfiniteMagnitude = 0x7f800000;

/// Of one row, for the layer norm.
struct LayerMoments {
  float mean = 0, scale = 0;
};

/// Pointers are unaligned and may be equal where the comment says so; else they do not overlap.
/// No kernel allocates, checks or starts a thread.
struct ElementwiseKernels {
  // Rows. A sum has 64 lanes by index mod 64 and a halving tree.

  /// The largest value by the order of integer images: no NaN is lost but negative ones, and
  /// -0 < +0. Any partition has the same result. Requires: n >= 1.
  float (*row_max)(const float* x, std::size_t n);
  /// The largest bits(x) & 0x7fffffff, 0 of none: at least 0x7f800000 where one is not finite.
  std::uint32_t (*largest_magnitude)(const float* x, std::size_t n);
  /// p = exp(s - m). p may be s.
  void (*exp_row)(const float* s, float m, std::size_t n, float* p);
  /// lane_sum of what exp_row writes, without writing it.
  float (*exp_sum)(const float* s, float m, std::size_t n);
  /// lane[i % 64] += x[i], ascending; then the tree.
  float (*lane_sum)(const float* x, std::size_t n);
  /// lane[i % 64] = fma(a[i], b[i], lane[i % 64]), ascending; then the tree. a may be b.
  float (*dot_lanes)(const float* a, const float* b, std::size_t n);
  /// p = p / sum * factor, two roundings.
  void (*divide_scale)(float sum, float factor, std::size_t n, float* p);

  // Elements. Outputs may be inputs.

  void (*add)(const float* a, const float* b, std::size_t n, float* out);
  void (*swiglu)(const float* gate, const float* up, std::size_t n, float* out);
  void (*swiglu_grad)(const float* gate, const float* up, const float* d_out, std::size_t n,
                      float* d_gate, float* d_up);

  /// The exact GELU, and dx = dy times its slope.
  void (*gelu)(const float* x, std::size_t n, float* out);
  void (*gelu_grad)(const float* x, const float* dy, std::size_t n, float* dx);

  // RMS norm.

  /// 1 / sqrt(dot_lanes(x, x) / n + eps).
  float (*rms_scale)(const float* x, float eps, std::size_t n);
  /// y = x * scale * w. y may be x.
  void (*rms_norm_row)(const float* x, const float* w, float scale, std::size_t n, float* y);
  /// dx, written or added to. dx may be dy.
  void (*rms_grad_row)(const float* x, const float* w, const float* dy, float scale, std::size_t n,
                       bool add, float* dx);
  /// dw[c] += the 64-lane sum over rows of dy * (x * scales[row]), for `columns` <= 64 columns.
  void (*rms_weight_grad)(const float* x, std::size_t x_stride, const float* dy,
                          std::size_t dy_stride, const float* scales, std::size_t rows,
                          std::size_t columns, float* dw);

  // Layer norm: h = (x - mean) * scale.

  /// The mean, and 1 / sqrt(mean of (x - mean)^2 + eps).
  LayerMoments (*layer_moments)(const float* x, float eps, std::size_t n);
  /// y = fma(h, w, b). y may be x.
  void (*layer_norm_row)(const float* x, const float* w, const float* b, LayerMoments moments,
                         std::size_t n, float* y);
  /// dx, written or added to. dx may be dy.
  void (*layer_grad_row)(const float* x, const float* w, const float* dy, LayerMoments moments,
                         std::size_t n, bool add, float* dx);
  /// dw[c] += the 64-lane sum over rows of dy * h, for `columns` <= 64 columns.
  void (*layer_weight_grad)(const float* x, std::size_t x_stride, const float* dy,
                            std::size_t dy_stride, const LayerMoments* moments, std::size_t rows,
                            std::size_t columns, float* dw);

  /// Rotates the pairs (x[i], x[i + half]) in place; `sign` (+1 or -1) multiplies the sines.
  void (*rotate)(const float* cos, const float* sin, float sign, std::size_t half, float* x);

  // Update. The results are the largest bits & 0x7fffffff among new values.

  /// Squares added in fp64: 64 lanes by index mod 64, then the tree.
  double (*square_sum)(const float* x, std::size_t n);
  std::uint32_t (*adamw)(const AdamWScalars& scalars, const float* gradient, std::size_t n,
                         float* parameter, float* m, float* v);
  /// `buffer` is not looked at where scalars.momentum is 0.
  std::uint32_t (*sgd)(const SgdScalars& scalars, const float* gradient, std::size_t n,
                       float* parameter, float* buffer);
};

}  // namespace aftune::numerics
