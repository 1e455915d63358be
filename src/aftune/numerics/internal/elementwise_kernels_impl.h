// SPDX-License-Identifier: Apache-2.0
// The one implementation of the elementwise kernels, compiled once for each instruction set and
// vectorised by the compiler. Definitions: docs/formats/exact-arithmetic.md.
//
// Everything here has internal linkage and no standard function is called: a function that the
// linker may merge could be taken from the AVX-512 object into code that runs everywhere.
#pragma once

#include <cstddef>
#include <cstdint>

#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/update_scalars.h"

// Says that iterations do not depend on each other, though outputs may be inputs.
// Speed only: clang has no such pragma and checks at run time.
#if defined(__GNUC__) && !defined(__clang__)
#define AFTUNE_INDEPENDENT _Pragma("GCC ivdep")
#else
#define AFTUNE_INDEPENDENT
#endif

namespace aftune::numerics {
namespace {

constexpr std::size_t kLanes = 64;

inline std::uint32_t bits_of(float x) { return __builtin_bit_cast(std::uint32_t, x); }
inline float float_of(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline std::uint32_t magnitude(float x) { return bits_of(x) & 0x7fffffffu; }
inline std::uint32_t larger(std::uint32_t a, std::uint32_t b) { return a > b ? a : b; }

constexpr float kLargestExponent = 0x1.62e42ep+6f;  // exp is finite up to here
constexpr float kSmallestExponent = -87.0f;         // and +0 below

struct Exponential {
  float value;
  float lost;  // by the last rounding, as a part of the value
};

/// Requires: x from kSmallestExponent to kLargestExponent.
inline Exponential exp_within(float x) {
  constexpr float kRound = 0x1.8p+23f;
  const float t = fma(x, 0x1.715476p+0f, kRound);
  const float n = t - kRound;
  float r = fma(n, -0x1.62e43p-1f, x);
  r = fma(n, 0x1.05c61p-29f, r);
  float q = fma(0x1.6a2406p-10f, r, 0x1.1239e2p-7f);
  q = fma(q, r, 0x1.5558f2p-5f);
  q = fma(q, r, 0x1.555492p-3f);
  q = fma(q, r, 0x1.fffffcp-2f);
  const float w = fma(q, r * r, r);
  const float p = 1.0f + w;
  return {float_of(bits_of(p) + (bits_of(t) << 23)),  // the low bits of t are n
          w - (p - 1.0f)};
}

inline float exp_of(float x) {
  float y = exp_within(x).value;
  y = x > kLargestExponent ? float_of(0x7f800000u) : y;
  y = x < kSmallestExponent ? 0.0f : y;
  return x == x ? y : x;
}

/// 1 + exp(-x) as a sum and its rounding error, and the inverse of the sum.
struct Gate {
  float sum, error, inverse;
};

inline Gate gate_of(float x) {
  float negative = -x < kLargestExponent ? -x : kLargestExponent;
  negative = negative > kSmallestExponent ? negative : kSmallestExponent;
  const auto [e, lost] = exp_within(negative);
  const float sum = 1.0f + e;
  const float rounded = sum - 1.0f;
  const float error = (1.0f - (sum - rounded)) + (e - rounded);
  return {sum, fma(e, lost, error), 1.0f / sum};
}

/// numerator / (1 + exp(-x)), rounded almost as if at once; +0 where exp(-x) is infinite.
inline float divided(float numerator, const Gate& gate, float x) {
  const float y = numerator * gate.inverse;
  const float rest = fma(-y, gate.error, fma(-y, gate.sum, numerator));
  return x < -kLargestExponent ? 0.0f : fma(rest, gate.inverse, y);
}

template <typename Value>
inline Value fold(Value* lanes) {
  for (std::size_t h = kLanes / 2; h > 0; h /= 2) {
    for (std::size_t j = 0; j < h; ++j) lanes[j] += lanes[j + h];
  }
  return lanes[0];
}

/// lanes64 over `take(lane, index)`, which returns the lane with the term of that index.
template <typename Value, typename Take>
inline Value lanes64(std::size_t n, Take take) {
  Value lanes[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t j = 0; j < kLanes; ++j) lanes[j] = take(lanes[j], i + j);
  }
  for (std::size_t j = 0; i + j < n; ++j) lanes[j] = take(lanes[j], i + j);
  return fold(lanes);
}

float row_max(const float* x, std::size_t n) {
  std::int32_t top = INT32_MIN;
  for (std::size_t i = 0; i < n; ++i) {
    const auto bits = static_cast<std::int32_t>(bits_of(x[i]));
    const std::int32_t image = bits ^ ((bits >> 31) & 0x7fffffff);
    top = image > top ? image : top;
  }
  return float_of(static_cast<std::uint32_t>(top ^ ((top >> 31) & 0x7fffffff)));
}

std::uint32_t largest_magnitude(const float* x, std::size_t n) {
  std::uint32_t top = 0;
  for (std::size_t i = 0; i < n; ++i) top = larger(top, magnitude(x[i]));
  return top;
}

void exp_row(const float* s, float m, std::size_t n, float* p) {
  AFTUNE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) p[i] = exp_of(s[i] - m);
}

float exp_sum(const float* s, float m, std::size_t n) {
  return lanes64<float>(n, [=](float lane, std::size_t i) { return lane + exp_of(s[i] - m); });
}

float lane_sum(const float* x, std::size_t n) {
  return lanes64<float>(n, [=](float lane, std::size_t i) { return lane + x[i]; });
}

float dot_lanes(const float* a, const float* b, std::size_t n) {
  return lanes64<float>(n, [=](float lane, std::size_t i) { return fma(a[i], b[i], lane); });
}

void divide_scale(float sum, float factor, std::size_t n, float* p) {
  for (std::size_t i = 0; i < n; ++i) p[i] = p[i] / sum * factor;
}

void add(const float* a, const float* b, std::size_t n, float* out) {
  AFTUNE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) out[i] = a[i] + b[i];
}

void swiglu(const float* gate, const float* up, std::size_t n, float* out) {
  AFTUNE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) out[i] = divided(gate[i], gate_of(gate[i]), gate[i]) * up[i];
}

void swiglu_grad(const float* gate, const float* up, const float* d_out, std::size_t n,
                 float* d_gate, float* d_up) {
  AFTUNE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) {
    const float g = gate[i], u = up[i], d = d_out[i];
    const Gate parts = gate_of(g);
    const float s = divided(1.0f, parts, g);
    d_up[i] = d * divided(g, parts, g);
    d_gate[i] = d * u * (s * fma(g, 1.0f - s, 1.0f));
  }
}

struct Tail {
  float share;    // of the normal distribution, beyond |x|
  float density;  // exp(-x^2 / 2)
};

inline Tail tail_of(float x) {
  const float size = float_of(magnitude(x));
  const float a = size < 14.0f ? size : 14.0f;
  const float t = 1.0f / fma(0x1.333334p-2f, a, 1.0f);
  float p = fma(-0x1.513fb8p-6f, t, 0x1.cba0dap-4f);
  p = fma(p, t, -0x1.d245f0p-3f);
  p = fma(p, t, 0x1.873c56p-3f);
  p = fma(p, t, -0x1.42a4fcp-4f);
  p = fma(p, t, 0x1.885ab2p-4f);
  p = fma(p, t, 0x1.41a166p-4f);
  p = fma(p, t, 0x1.c366a4p-4f);
  p = fma(p, t, 0x1.e9c826p-4f);
  p = fma(p, t, 0x1.ea3c62p-4f);
  const float square = a * a;
  const float rounded = exp_of(-0.5f * square);
  const float e = fma(rounded, -0.5f * fma(a, a, -square), rounded);
  return {t * p * e, e};
}

void gelu(const float* x, std::size_t n, float* out) {
  AFTUNE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) {
    const float v = x[i];
    const float q = tail_of(v).share;
    const float above = fma(-v, q, v), below = v * q;
    out[i] = v >= 0.0f ? above : below;
  }
}

void gelu_grad(const float* x, const float* dy, std::size_t n, float* dx) {
  AFTUNE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) {
    const float v = x[i];
    const Tail tail = tail_of(v);
    const float rest = 1.0f - tail.share;
    const float share = v >= 0.0f ? rest : tail.share;
    dx[i] = dy[i] * fma(v, tail.density * 0x1.988454p-2f, share);
  }
}

float rms_scale(const float* x, float eps, std::size_t n) {
  return 1.0f / __builtin_sqrtf(dot_lanes(x, x, n) / static_cast<float>(n) + eps);
}

void rms_norm_row(const float* x, const float* w, float scale, std::size_t n, float* y) {
  AFTUNE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i] * scale * w[i];
}

void rms_grad_row(const float* x, const float* w, const float* dy, float scale, std::size_t n,
                  bool adds, float* dx) {
  const float sum = lanes64<float>(
      n, [=](float lane, std::size_t i) { return fma(dy[i] * w[i], x[i] * scale, lane); });
  const float c = sum / static_cast<float>(n);
  const auto gradient = [=](std::size_t i) {
    return scale * fma(-(x[i] * scale), c, dy[i] * w[i]);
  };
  if (adds) {
    AFTUNE_INDEPENDENT
    for (std::size_t i = 0; i < n; ++i) dx[i] += gradient(i);
  } else {
    AFTUNE_INDEPENDENT
    for (std::size_t i = 0; i < n; ++i) dx[i] = gradient(i);
  }
}

/// dw[c] += the halving tree over the 64 lanes of column c; lanes are [lane][column].
inline void add_lanes_of_columns(float* lanes, std::size_t columns, float* dw) {
  for (std::size_t h = kLanes / 2; h > 0; h /= 2) {
    AFTUNE_INDEPENDENT
    for (std::size_t j = 0; j < h * kLanes; ++j) lanes[j] += lanes[j + h * kLanes];
  }
  for (std::size_t i = 0; i < columns; ++i) dw[i] += lanes[i];
}

void rms_weight_grad(const float* x, std::size_t x_stride, const float* dy, std::size_t dy_stride,
                     const float* scales, std::size_t rows, std::size_t columns, float* dw) {
  float lanes[kLanes * kLanes] = {};  // [row mod 64][column]
  for (std::size_t t = 0; t < rows; ++t) {
    const float* x_row = x + t * x_stride;
    const float* dy_row = dy + t * dy_stride;
    const float scale = scales[t];
    float* lane = lanes + t % kLanes * kLanes;
    for (std::size_t i = 0; i < columns; ++i) lane[i] = fma(dy_row[i], x_row[i] * scale, lane[i]);
  }
  add_lanes_of_columns(lanes, columns, dw);
}

LayerMoments layer_moments(const float* x, float eps, std::size_t n) {
  const float mean = lane_sum(x, n) / static_cast<float>(n);
  const float sum = lanes64<float>(n, [=](float lane, std::size_t i) {
    const float z = x[i] - mean;
    return fma(z, z, lane);
  });
  return {mean, 1.0f / __builtin_sqrtf(sum / static_cast<float>(n) + eps)};
}

void layer_norm_row(const float* x, const float* w, const float* b, LayerMoments moments,
                    std::size_t n, float* y) {
  const float mean = moments.mean, scale = moments.scale;
  AFTUNE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) y[i] = fma((x[i] - mean) * scale, w[i], b[i]);
}

void layer_grad_row(const float* x, const float* w, const float* dy, LayerMoments moments,
                    std::size_t n, bool adds, float* dx) {
  const float mean = moments.mean, scale = moments.scale, width = static_cast<float>(n);
  const auto h = [=](std::size_t i) { return (x[i] - mean) * scale; };
  const float c =
      lanes64<float>(n, [=](float lane, std::size_t i) { return fma(dy[i] * w[i], h(i), lane); }) /
      width;
  const float a =
      lanes64<float>(n, [=](float lane, std::size_t i) { return lane + dy[i] * w[i]; }) / width;
  const auto gradient = [=](std::size_t i) { return scale * fma(-h(i), c, dy[i] * w[i] - a); };
  if (adds) {
    AFTUNE_INDEPENDENT
    for (std::size_t i = 0; i < n; ++i) dx[i] += gradient(i);
  } else {
    AFTUNE_INDEPENDENT
    for (std::size_t i = 0; i < n; ++i) dx[i] = gradient(i);
  }
}

void layer_weight_grad(const float* x, std::size_t x_stride, const float* dy, std::size_t dy_stride,
                       const LayerMoments* moments, std::size_t rows, std::size_t columns,
                       float* dw) {
  float lanes[kLanes * kLanes] = {};  // [row mod 64][column]
  for (std::size_t t = 0; t < rows; ++t) {
    const float* x_row = x + t * x_stride;
    const float* dy_row = dy + t * dy_stride;
    const float mean = moments[t].mean, scale = moments[t].scale;
    float* lane = lanes + t % kLanes * kLanes;
    for (std::size_t i = 0; i < columns; ++i) {
      lane[i] = fma(dy_row[i], (x_row[i] - mean) * scale, lane[i]);
    }
  }
  add_lanes_of_columns(lanes, columns, dw);
}

void rotate(const float* cos, const float* sin, float sign, std::size_t half, float* x) {
  AFTUNE_INDEPENDENT
  for (std::size_t i = 0; i < half; ++i) {
    const float a = x[i], b = x[i + half], s = sin[i] * sign;
    x[i] = fma(-b, s, a * cos[i]);
    x[i + half] = fma(a, s, b * cos[i]);
  }
}

double square_sum(const float* x, std::size_t n) {
  return lanes64<double>(n, [=](double lane, std::size_t i) {
    const double value = x[i];
    return lane + value * value;  // the product is exact
  });
}

inline float without_dust(float moment) {
  return magnitude(moment) < bits_of(0x1p-100f) ? 0.0f : moment;
}

std::uint32_t adamw(const AdamWScalars& scalars, const float* __restrict gradient, std::size_t n,
                    float* __restrict parameter, float* __restrict m, float* __restrict v) {
  const AdamWScalars c = scalars;
  std::uint32_t top = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float g = gradient[i] * c.clip;
    const float m_new = without_dust(c.beta1 * m[i] + c.one_minus_beta1 * g);
    const float v_new = without_dust(c.beta2 * v[i] + c.one_minus_beta2 * g * g);
    const float size = m_new / (__builtin_sqrtf(v_new) / c.root_bc2 + c.eps);
    const float p_new = parameter[i] * c.decay - c.step_size * size;
    m[i] = m_new;
    v[i] = v_new;
    parameter[i] = p_new;
    top = larger(larger(top, magnitude(p_new)), larger(magnitude(m_new), magnitude(v_new)));
  }
  return top;
}

std::uint32_t sgd(const SgdScalars& scalars, const float* __restrict gradient, std::size_t n,
                  float* __restrict parameter, float* __restrict buffer) {
  const SgdScalars c = scalars;
  std::uint32_t top = 0;
  if (c.momentum == 0.0f) {
    for (std::size_t i = 0; i < n; ++i) {
      const float g = gradient[i] * c.clip + c.decay * parameter[i];
      parameter[i] -= c.lr * g;
      top = larger(top, magnitude(parameter[i]));
    }
    return top;
  }
  for (std::size_t i = 0; i < n; ++i) {
    const float g = gradient[i] * c.clip + c.decay * parameter[i];
    buffer[i] = without_dust(c.momentum * buffer[i] + g);
    parameter[i] -= c.lr * (c.nesterov ? g + c.momentum * buffer[i] : buffer[i]);
    top = larger(top, larger(magnitude(parameter[i]), magnitude(buffer[i])));
  }
  return top;
}

constexpr ElementwiseKernels kElementwiseKernels = {
    row_max,       largest_magnitude, exp_row,        exp_sum,
    lane_sum,      dot_lanes,         divide_scale,   add,
    swiglu,        swiglu_grad,       gelu,           gelu_grad,
    rms_scale,     rms_norm_row,      rms_grad_row,   rms_weight_grad,
    layer_moments, layer_norm_row,    layer_grad_row, layer_weight_grad,
    rotate,        square_sum,        adamw,          sgd};

}  // namespace
}  // namespace aftune::numerics
