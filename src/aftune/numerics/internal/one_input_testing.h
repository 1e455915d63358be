// SPDX-License-Identifier: Apache-2.0
// Functions of one fp32 number that the elementwise kernels compute, and inputs for them: what can
// be compared over every input there is.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/update_scalars.h"

namespace aftune::numerics {

struct OneInputFunction {
  const char* name;
  /// Writes f(x[i]) to out[i], `n` of them.
  void (*run)(const ElementwiseKernels& kernels, const float* x, std::size_t n, float* out);
};

namespace one_input {

using K = ElementwiseKernels;

inline void exp(const K& k, const float* x, std::size_t n, float* out) {
  k.exp_row(x, 0.0F, n, out);
}
inline void silu(const K& k, const float* x, std::size_t n, float* out) {
  k.swiglu(x, std::vector<float>(n, 1.0F).data(), n, out);
}
inline void silu_slope(const K& k, const float* x, std::size_t n, float* out) {
  const std::vector<float> ones(n, 1.0F);
  std::vector<float> d_up(n);
  k.swiglu_grad(x, ones.data(), ones.data(), n, out, d_up.data());
}
inline void gelu(const K& k, const float* x, std::size_t n, float* out) { k.gelu(x, n, out); }
inline void gelu_slope(const K& k, const float* x, std::size_t n, float* out) {
  k.gelu_grad(x, std::vector<float>(n, 1.0F).data(), n, out);
}
inline void inverse_root(const K& k, const float* x, std::size_t n, float* out) {
  constexpr float kNothing = 0.0F;
  for (std::size_t i = 0; i < n; ++i) out[i] = k.rms_scale(&kNothing, x[i], 1);
}
inline void divided(const K& k, const float* x, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = x[i];
  k.divide_scale(3.0F, 0.7F, n, out);
}
/// The first step, from a parameter of 1: of the gradient.
inline void adamw(const K& k, const float* x, std::size_t n, float* out) {
  std::vector<float> m(n), v(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = 1.0F;
  const AdamWScalars scalars{0.5F, 0.9F, 0.1F, 0.999F, 0.001F, 1e-2F, 0.0316F, 1e-8F, 0.9999F};
  k.adamw(scalars, x, n, out, m.data(), v.data());
}

}  // namespace one_input

inline constexpr std::array<OneInputFunction, 8> kOneInputFunctions = {
    {{"exp", one_input::exp},
     {"silu", one_input::silu},
     {"silu_slope", one_input::silu_slope},
     {"gelu", one_input::gelu},
     {"gelu_slope", one_input::gelu_slope},
     {"inverse_root", one_input::inverse_root},
     {"divided", one_input::divided},
     {"adamw", one_input::adamw}}};

/// 2^20 of all 2^32 inputs: a random one of each 4096 neighbours. NaNs and infinities among them.
inline std::vector<float> stratified_inputs() {
  std::mt19937 random(7);
  std::vector<float> inputs(std::size_t{1} << 20);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto low = static_cast<std::uint32_t>(random()) % 4096;
    inputs[i] = std::bit_cast<float>(static_cast<std::uint32_t>(i) << 12 | low);
  }
  return inputs;
}

}  // namespace aftune::numerics
