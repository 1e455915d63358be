// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/llama_config.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

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
constexpr double kMaxRopeFactor = 0x1p16;
constexpr double kMinRopeFrequency = 0x1p-16;

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
  if (c.head_dim % 2 != 0) return invalid_input(fmt::format("head_dim {} is odd", c.head_dim));
  if (c.head_count % c.kv_head_count != 0) {
    return invalid_input(fmt::format("head_count {} is no multiple of kv_head_count {}",
                                     c.head_count, c.kv_head_count));
  }
  const std::uint64_t width = std::uint64_t{c.head_count} * c.head_dim;
  if (width > kMaxWidth) {
    return invalid_input(fmt::format("head_count {} times head_dim {} is above {}", c.head_count,
                                     c.head_dim, kMaxWidth));
  }
  return ok();
}

Status check_rope(const LlamaConfig& c) {
  // Written so that a NaN is refused too.
  if (!(c.rope_theta >= 1 && c.rope_theta <= kMaxRopeTheta)) {
    return invalid_input(fmt::format("rope_theta {} is outside 1 to 2^64", c.rope_theta));
  }
  if (!c.rope_scaling) return ok();
  const RopeScaling& s = *c.rope_scaling;
  if (!(s.factor >= 1 && s.factor <= kMaxRopeFactor)) {
    return invalid_input(fmt::format("rope_scaling factor {} is outside 1 to 2^16", s.factor));
  }
  if (!(s.low_freq_factor >= kMinRopeFrequency && s.low_freq_factor < s.high_freq_factor &&
        s.high_freq_factor <= kMaxRopeFactor)) {
    return invalid_input(
        fmt::format("rope_scaling low_freq_factor {}, high_freq_factor {}: not 2^-16 <= "
                    "low < high <= 2^16",
                    s.low_freq_factor, s.high_freq_factor));
  }
  if (s.original_max_positions < 1 || s.original_max_positions > kMaxPositions) {
    return invalid_input(fmt::format("rope_scaling original_max_positions {} is outside 1 to {}",
                                     s.original_max_positions, kMaxPositions));
  }
  return ok();
}

Status check_window(const LlamaConfig& c) {
  if (c.sliding_window == 0) return ok();
  if (c.family != Family::kMistral) {
    return invalid_input(fmt::format("sliding_window {} in family {}, only mistral has one",
                                     c.sliding_window, traits_of(c.family).name));
  }
  if (c.sliding_window <= kMaxPositions) return ok();
  return invalid_input(
      fmt::format("sliding_window {} is outside 1 to {}", c.sliding_window, kMaxPositions));
}

void add_layer(const LlamaConfig& c, std::uint32_t layer, std::vector<TensorSpec>& specs) {
  const std::uint64_t hidden = c.hidden_size;
  const std::uint64_t inner = c.intermediate_size;
  const std::uint64_t q = std::uint64_t{c.head_count} * c.head_dim;
  const std::uint64_t kv = std::uint64_t{c.kv_head_count} * c.head_dim;
  const auto put = [&](const char* name, Shape shape) {
    specs.push_back(
        {fmt::format("model.layers.{}.{}", layer, name), Dtype::kF32, std::move(shape)});
  };
  const auto add = [&](const std::string& name, Shape shape) {
    put((name + ".weight").c_str(), std::move(shape));
  };
  add("input_layernorm", {hidden});
  add("post_attention_layernorm", {hidden});
  add("self_attn.q_proj", {q, hidden});
  add("self_attn.k_proj", {kv, hidden});
  add("self_attn.v_proj", {kv, hidden});
  add("self_attn.o_proj", {hidden, q});
  if (c.has_projection_biases()) {
    put("self_attn.q_proj.bias", {q});
    put("self_attn.k_proj.bias", {kv});
    put("self_attn.v_proj.bias", {kv});
  }
  if (c.has_head_norms()) {
    add("self_attn.q_norm", {c.head_dim});
    add("self_attn.k_norm", {c.head_dim});
  }
  add("mlp.gate_proj", {inner, hidden});
  add("mlp.up_proj", {inner, hidden});
  add("mlp.down_proj", {hidden, inner});
}

}  // namespace

Status check_config(const LlamaConfig& config) {
  if (config.vision.has_value() != traits_of(config.family).vision) {
    return invalid_input(fmt::format("family {} {}", traits_of(config.family).name,
                                     config.vision ? "classifies no images" : "classifies images"));
  }
  if (config.vision) return check_vision_config(config);
  for (const Extent& extent : extents(config)) {
    if (extent.value < 1 || extent.value > extent.max) {
      return invalid_input(
          fmt::format("{} {} is outside 1 to {}", extent.name, extent.value, extent.max));
    }
  }
  AFTUNE_TRY(check_heads(config));
  if (!std::isnormal(config.rms_norm_eps) || config.rms_norm_eps < 0 || config.rms_norm_eps > 1) {
    return invalid_input(
        fmt::format("rms_norm_eps {} is outside 2^-126 to 1", config.rms_norm_eps));
  }
  AFTUNE_TRY(check_rope(config));
  return check_window(config);
}

std::uint32_t LlamaConfig::longest_sequence() const {
  return sliding_window == 0 ? max_positions : std::min(max_positions, sliding_window);
}

TensorSpec table_spec(const LlamaConfig& config) {
  if (config.vision) return {kNormalizationName, Dtype::kF32, {2, config.vision->channels}};
  return {kInvFreqName, Dtype::kF32, {config.head_dim / 2}};
}

std::vector<TensorSpec> parameter_specs(const LlamaConfig& config) {
  if (config.vision) return vision_parameter_specs(config);
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

}  // namespace aftune::model
