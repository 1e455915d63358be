// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/vision_config.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "aftune/model/layer_names.h"
#include "aftune/model/vision_names.h"

namespace aftune::model {
namespace {

constexpr std::uint32_t kMaxClasses = 1u << 22;
constexpr std::uint32_t kMaxWidth = 1u << 18;
constexpr std::uint32_t kMaxLayers = 1u << 12;
constexpr std::uint32_t kMaxHeads = 1u << 12;
constexpr std::uint32_t kMaxImage = 1u << 12;
constexpr std::uint32_t kMaxChannels = 16;
constexpr std::uint32_t kMaxTokens = 1u << 16;

Status check_extents(const LlamaConfig& c) {
  const VisionConfig& v = *c.vision;
  const std::tuple<const char*, std::uint32_t, std::uint32_t> extents[] = {
      {"classes", c.vocab_size, kMaxClasses},
      {"hidden_size", c.hidden_size, kMaxWidth},
      {"intermediate_size", c.intermediate_size, kMaxWidth},
      {"layer_count", c.layer_count, kMaxLayers},
      {"head_count", c.head_count, kMaxHeads},
      {"image_size", v.image_size, kMaxImage},
      {"patch_size", v.patch_size, kMaxImage},
      {"channels", v.channels, kMaxChannels}};
  for (const auto& [name, value, max] : extents) {
    if (value >= 1 && value <= max) continue;
    return invalid_input(fmt::format("{} {} is outside 1 to {}", name, value, max));
  }
  return ok();
}

/// Members that follow from others, as derive_vision_members() leaves them.
Status check_derived(const LlamaConfig& c) {
  LlamaConfig derived = c;
  derive_vision_members(derived);
  if (derived == c) return ok();
  return invalid_input("sizes that follow from others do not");
}

class SpecList {
 public:
  void add(std::string name, Shape shape) {
    specs_.push_back({std::move(name), Dtype::kF32, std::move(shape)});
  }
  /// A weight and its bias.
  void linear(const std::string& weight, std::uint64_t outputs, std::uint64_t inputs, bool bias) {
    add(weight, {outputs, inputs});
    if (bias) add(bias_of(weight), {outputs});
  }
  void norm(const std::string& name, std::uint64_t width) {
    add(name + ".weight", {width});
    add(name + ".bias", {width});
  }
  std::vector<TensorSpec> sorted() && {
    std::ranges::sort(specs_, {}, &TensorSpec::name);
    return std::move(specs_);
  }

 private:
  std::vector<TensorSpec> specs_;
};

void add_layer(const LlamaConfig& c, std::uint32_t layer, SpecList& specs) {
  const VisionLayerNames names(c, layer);
  const std::uint64_t hidden = c.hidden_size, inner = c.intermediate_size;
  specs.norm(names.first_norm(), hidden);
  specs.norm(names.second_norm(), hidden);
  for (const std::string& weight : {names.query(), names.key(), names.value()}) {
    specs.linear(weight, hidden, hidden, c.vision->qkv_bias);
  }
  specs.linear(names.attention_output(), hidden, hidden, true);
  specs.linear(names.inner(), c.vision->swiglu ? 2 * inner : inner, hidden, true);
  specs.linear(names.outer(), hidden, inner, true);
  if (names.is_vit) return;
  specs.add(names.first_scale(), {hidden});
  specs.add(names.second_scale(), {hidden});
}

}  // namespace

void derive_vision_members(LlamaConfig& c) {
  VisionConfig& v = *c.vision;
  c.kv_head_count = c.head_count;
  if (c.head_count != 0) c.head_dim = c.hidden_size / c.head_count;
  if (v.patch_size != 0) {
    const std::uint64_t side = v.image_size / v.patch_size;
    c.max_positions = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(side * side + 1, std::uint64_t{kMaxTokens} + 1));
  }
  if (c.family != Family::kDinov2) return;
  const std::uint64_t whole = std::uint64_t{c.hidden_size} * v.mlp_ratio;
  const std::uint64_t inner = v.swiglu ? (whole * 2 / 3 + 7) / 8 * 8 : whole;
  c.intermediate_size =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(inner, std::uint64_t{kMaxWidth} + 1));
}

Status check_vision_config(const LlamaConfig& c) {
  AFTUNE_TRY(check_extents(c));
  const VisionConfig& v = *c.vision;
  if (c.hidden_size % c.head_count != 0) {
    return invalid_input(
        fmt::format("hidden_size {} is no multiple of head_count {}", c.hidden_size, c.head_count));
  }
  if (c.hidden_size / c.head_count > kMaxHeads) {
    return invalid_input(fmt::format("heads of width {}, at most {} are allowed",
                                     c.hidden_size / c.head_count, kMaxHeads));
  }
  if (v.image_size % v.patch_size != 0) {
    return invalid_input(
        fmt::format("image_size {} is no multiple of patch_size {}", v.image_size, v.patch_size));
  }
  if (c.max_positions > kMaxTokens) {
    return invalid_input(fmt::format("an image of more than {} tokens", kMaxTokens));
  }
  if (!std::isnormal(c.rms_norm_eps) || c.rms_norm_eps < 0 || c.rms_norm_eps > 1) {
    return invalid_input(fmt::format("layer_norm_eps {} is outside 2^-126 to 1", c.rms_norm_eps));
  }
  const bool is_vit = c.family == Family::kVit;
  if (is_vit != (v.mlp_ratio == 0) || (is_vit && v.swiglu)) {
    return invalid_input(fmt::format("mlp_ratio {}{} in family {}", v.mlp_ratio,
                                     v.swiglu ? " with SwiGLU" : "", traits_of(c.family).name));
  }
  if (c.rope_theta != 0 || c.tied_embeddings || c.rope_scaling || c.sliding_window != 0) {
    return invalid_input("an image classifier has no rotary positions, tied embeddings or window");
  }
  return check_derived(c);
}

std::vector<TensorSpec> vision_parameter_specs(const LlamaConfig& c) {
  const VisionConfig& v = *c.vision;
  const VisionNames names(c);
  const std::uint64_t hidden = c.hidden_size;
  SpecList specs;
  specs.add(names.class_token(), {1, 1, hidden});
  specs.add(names.positions(), {1, c.max_positions, hidden});
  specs.add(names.projection(), {hidden, v.channels, v.patch_size, v.patch_size});
  specs.add(bias_of(names.projection()), {hidden});
  for (std::uint32_t layer = 0; layer < c.layer_count; ++layer) add_layer(c, layer, specs);
  specs.norm(names.final_norm(), hidden);
  specs.linear(kClassifier, c.vocab_size, c.family == Family::kVit ? hidden : 2 * hidden, true);
  return std::move(specs).sorted();
}

}  // namespace aftune::model
