// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/llama_config.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "aftune/base/check.h"
#include "aftune/numerics/scalar_math.h"

namespace aftune::model {
namespace {

// Every product of two of these, times four bytes, stays below 2^46.
constexpr std::uint32_t kMaxVocab = 1u << 22;
constexpr std::uint32_t kMaxWidth = 1u << 18;
constexpr std::uint32_t kMaxLayers = 1u << 12;
constexpr std::uint32_t kMaxHeads = 1u << 12;
constexpr std::uint32_t kMaxHeadDim = 1u << 12;
constexpr std::uint32_t kMaxPositions = 1u << 24;  // each position is exact in fp32
constexpr double kMaxRopeTheta = 0x1p64;

Error invalid(std::string what) { return {Code::kInvalidInput, std::move(what)}; }

struct Extent {
  const char* name;
  std::uint32_t value;
  std::uint32_t max;
};

std::vector<Extent> extents(const LlamaConfig& c) {
  return {{"vocab_size", c.vocab_size, kMaxVocab},
          {"hidden_size", c.hidden_size, kMaxWidth},
          {"intermediate_size", c.intermediate_size, kMaxWidth},
          {"layer_count", c.layer_count, kMaxLayers},
          {"head_count", c.head_count, kMaxHeads},
          {"kv_head_count", c.kv_head_count, kMaxHeads},
          {"head_dim", c.head_dim, kMaxHeadDim},
          {"max_positions", c.max_positions, kMaxPositions}};
}

Status check_heads(const LlamaConfig& c) {
  if (c.head_dim % 2 != 0) return invalid(fmt::format("head_dim {} is odd", c.head_dim));
  if (c.head_count % c.kv_head_count != 0) {
    return invalid(fmt::format("head_count {} is no multiple of kv_head_count {}", c.head_count,
                               c.kv_head_count));
  }
  const std::uint64_t width = std::uint64_t{c.head_count} * c.head_dim;
  if (width > kMaxWidth) {
    return invalid(fmt::format("head_count {} times head_dim {} is above {}", c.head_count,
                               c.head_dim, kMaxWidth));
  }
  return ok();
}

void add_layer(const LlamaConfig& c, std::uint32_t layer, std::vector<TensorSpec>& specs) {
  const std::uint64_t hidden = c.hidden_size;
  const std::uint64_t inner = c.intermediate_size;
  const std::uint64_t q = std::uint64_t{c.head_count} * c.head_dim;
  const std::uint64_t kv = std::uint64_t{c.kv_head_count} * c.head_dim;
  const auto add = [&](const char* name, Shape shape) {
    specs.push_back(
        {fmt::format("model.layers.{}.{}.weight", layer, name), Dtype::kF32, std::move(shape)});
  };
  add("input_layernorm", {hidden});
  add("post_attention_layernorm", {hidden});
  add("self_attn.q_proj", {q, hidden});
  add("self_attn.k_proj", {kv, hidden});
  add("self_attn.v_proj", {kv, hidden});
  add("self_attn.o_proj", {hidden, q});
  add("mlp.gate_proj", {inner, hidden});
  add("mlp.up_proj", {inner, hidden});
  add("mlp.down_proj", {hidden, inner});
}

}  // namespace

Status check_config(const LlamaConfig& config) {
  for (const Extent& extent : extents(config)) {
    if (extent.value < 1 || extent.value > extent.max) {
      return invalid(
          fmt::format("{} {} is outside 1 to {}", extent.name, extent.value, extent.max));
    }
  }
  AFTUNE_TRY(check_heads(config));
  if (!std::isnormal(config.rms_norm_eps) || config.rms_norm_eps < 0 || config.rms_norm_eps > 1) {
    return invalid(fmt::format("rms_norm_eps {} is outside 2^-126 to 1", config.rms_norm_eps));
  }
  // Written so that a NaN is refused too.
  if (!(config.rope_theta >= 1 && config.rope_theta <= kMaxRopeTheta)) {
    return invalid(fmt::format("rope_theta {} is outside 1 to 2^64", config.rope_theta));
  }
  return ok();
}

std::vector<TensorSpec> parameter_specs(const LlamaConfig& config) {
  const Shape table = {config.vocab_size, config.hidden_size};
  std::vector<TensorSpec> specs;
  specs.push_back({"model.embed_tokens.weight", Dtype::kF32, table});
  specs.push_back({"model.norm.weight", Dtype::kF32, {config.hidden_size}});
  if (!config.tied_embeddings) specs.push_back({"lm_head.weight", Dtype::kF32, table});
  for (std::uint32_t layer = 0; layer < config.layer_count; ++layer) {
    add_layer(config, layer, specs);
  }
  std::sort(specs.begin(), specs.end(),
            [](const TensorSpec& a, const TensorSpec& b) { return a.name < b.name; });
  return specs;
}

Tensor make_inv_freq(const LlamaConfig& config) {
  AFTUNE_CHECK(check_config(config).has_value(), "configuration out of range");
  Tensor table = Tensor::zeros({config.head_dim / 2});
  const double log_theta = numerics::exact_log(config.rope_theta);
  for (std::uint32_t i = 0; i < config.head_dim / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(config.head_dim);
    const double power = numerics::exact_exp(static_cast<double>(exponent) * log_theta);
    table.f32()[i] = 1.0F / static_cast<float>(power);
  }
  return table;
}

}  // namespace aftune::model
