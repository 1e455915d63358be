// SPDX-License-Identifier: Apache-2.0
// The rotary frequencies, scaled or not: docs/formats/model-folder.md, "Inverse frequencies".
#include "aftune/base/check.h"
#include "aftune/model/llama_config.h"
#include "aftune/numerics/scalar_math.h"

namespace aftune::model {
namespace {

constexpr float kTwoPi = 0x1.921fb6p+2F;

/// Every operation one fp32 rounding, in the order in which transformers does it.
float scaled(float frequency, const RopeScaling& s) {
  const auto factor = static_cast<float>(s.factor);
  const double original = s.original_max_positions;
  const float longest = static_cast<float>(original / s.low_freq_factor);
  const float shortest = static_cast<float>(original / s.high_freq_factor);
  const float wave = (1.0F / frequency) * kTwoPi;
  if (wave > longest) return frequency / factor;
  if (wave < shortest) return frequency;
  const auto band = static_cast<float>(s.high_freq_factor - s.low_freq_factor);
  const float turns = (1.0F / wave) * static_cast<float>(original);
  const float smooth = (turns - static_cast<float>(s.low_freq_factor)) / band;
  return (1.0F - smooth) * frequency / factor + smooth * frequency;
}

}  // namespace

Tensor make_inv_freq(const LlamaConfig& config) {
  AFTUNE_CHECK(check_config(config).has_value(), "configuration out of range");
  Tensor table = Tensor::zeros({config.head_dim / 2});
  const double log_theta = numerics::exact_log(config.rope_theta);
  for (std::uint32_t i = 0; i < config.head_dim / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(config.head_dim);
    const double power = numerics::exact_exp(static_cast<double>(exponent) * log_theta);
    const float frequency = 1.0F / static_cast<float>(power);
    table.f32()[i] = config.rope_scaling ? scaled(frequency, *config.rope_scaling) : frequency;
  }
  return table;
}

}  // namespace aftune::model
