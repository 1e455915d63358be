// SPDX-License-Identifier: Apache-2.0
// config.json of an image classifier, read and written. docs/formats/vit.md.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "aftune/model/hf_members.h"

namespace aftune::model {
namespace {

using codec::Json;

constexpr std::uint32_t kUsualClasses = 2;  // of transformers, where a file names none

constexpr std::string_view kRead[] = {
    "architectures",     "hidden_size", "id2label",     "image_size",
    "layer_norm_eps",    "model_type",  "num_channels", "num_attention_heads",
    "num_hidden_layers", "patch_size",  "qkv_bias"};
constexpr std::string_view kIgnored[] = {"encoder_stride", "pooler_act", "pooler_output_size"};
constexpr std::string_view kReadOfVit[] = {"intermediate_size"};
constexpr std::string_view kReadOfDinov2[] = {"mlp_ratio", "use_swiglu_ffn"};
constexpr std::string_view kIgnoredOfDinov2[] = {
    "_out_features", "_out_indices", "apply_layernorm",       "layerscale_value", "out_features",
    "out_indices",   "stage_names",  "reshape_hidden_states", "use_mask_token"};

bool contains(std::span<const std::string_view> list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

bool is_known(Family family, std::string_view name) {
  if (contains(kRead, name) || contains(kIgnored, name) || hf_ignored(name)) return true;
  if (family == Family::kVit) return contains(kReadOfVit, name);
  return contains(kReadOfDinov2, name) || contains(kIgnoredOfDinov2, name);
}

Status check_member(Family family, const std::string& name, const Json& value) {
  if (is_known(family, name)) return ok();
  const bool is_zero = number_of(value) == 0.0;
  const auto supported = [&](bool same, std::string_view wanted) -> Status {
    if (same) return ok();
    return hf_unsupported(fmt::format("{} is {}, supported is {}", name, spelled(value), wanted));
  };
  if (name == "hidden_act") return supported(value == Json("gelu"), "\"gelu\"");
  if (name == "is_encoder_decoder") return supported(value == Json(false), "false");
  if (name == "hidden_dropout_prob" || name == "attention_probs_dropout_prob" ||
      name == "chunk_size_feed_forward" ||
      (name == "drop_path_rate" && family == Family::kDinov2)) {
    return supported(is_zero, "0");
  }
  return hf_unsupported(fmt::format("unknown member {}, which is {}", name, spelled(value)));
}

/// An integer, or a list of two equal ones.
Result<std::uint32_t> read_side(const Json& config, std::string_view name) {
  const Json* value = config.find(name);
  const Json::Array* both = value == nullptr ? nullptr : value->array();
  if (both == nullptr) return read_extent(config, name);
  if (both->size() == 2 && (*both)[0] == (*both)[1]) {
    return read_extent(Json::Object{{std::string(name), (*both)[0]}}, name);
  }
  return hf_unsupported(fmt::format("{} is {}, supported are squares", name, spelled(*value)));
}

Result<bool> read_flag(const Json& config, std::string_view name, bool if_absent) {
  if (absent(config, name)) return if_absent;
  const Json& value = *config.find(name);
  if (value.boolean() != nullptr) return *value.boolean();
  return hf_invalid(fmt::format("{} is {}, neither true nor false", name, spelled(value)));
}

/// The number of names in id2label, which has one for each class.
Result<std::uint32_t> read_classes(const Json& config) {
  if (absent(config, "id2label")) return kUsualClasses;
  const Json::Object* names = config.find("id2label")->object();
  if (names == nullptr || names->empty()) return hf_invalid("id2label is no object of names");
  for (std::size_t i = 0; i < names->size(); ++i) {
    const auto found = names->find(std::to_string(i));
    if (found == names->end() || found->second.string() == nullptr) {
      return hf_invalid(
          fmt::format("id2label has {} members and no name for class {}", names->size(), i));
    }
  }
  return static_cast<std::uint32_t>(names->size());
}

Result<std::array<float, 2>> read_channel(const Json& preprocessor, std::size_t channel,
                                          std::size_t channels) {
  std::array<float, 2> out{};
  const char* names[] = {"image_mean", "image_std"};
  for (std::size_t i = 0; i < 2; ++i) {
    const Json* list = preprocessor.find(names[i]);
    if (list == nullptr || list->array() == nullptr || list->array()->size() != channels) {
      return Error{Code::kInvalidInput,
                   fmt::format("{} is {}, not a list of {} numbers", names[i],
                               list == nullptr ? "missing" : spelled(*list), channels)};
    }
    const auto number = number_of((*list->array())[channel]);
    if (!number || !std::isfinite(static_cast<float>(*number)) ||
        (i == 1 && !std::isnormal(static_cast<float>(*number))) || (i == 1 && *number < 0)) {
      return Error{Code::kInvalidInput,
                   fmt::format("{}: {} is no {}", names[i], spelled((*list->array())[channel]),
                               i == 0 ? "number" : "number above 0")};
    }
    out[i] = static_cast<float>(*number);
  }
  return out;
}

Status check_preprocessor(const Json& preprocessor) {
  if (preprocessor.object() == nullptr) return Error{Code::kInvalidInput, "no object"};
  for (const char* name : {"do_normalize", "do_rescale"}) {
    if (absent(preprocessor, name)) continue;
    const Json& value = *preprocessor.find(name);
    if (value == Json(true)) continue;
    return Error{Code::kUnsupported,
                 fmt::format("{} is {}, supported is true", name, spelled(value))};
  }
  if (absent(preprocessor, "rescale_factor")) return ok();
  const Json& value = *preprocessor.find("rescale_factor");
  const auto factor = number_of(value);
  if (factor && std::fabs(*factor * 255 - 1) < 1e-9) return ok();
  return Error{Code::kUnsupported,
               fmt::format("rescale_factor is {}, supported is 1/255", spelled(value))};
}

}  // namespace

Result<LlamaConfig> parse_hf_vision_config(const Json& config, Family family) {
  LlamaConfig c;
  c.family = family;
  VisionConfig& v = c.vision.emplace();
  for (const auto& [name, value] : *config.object()) {
    AFTUNE_TRY(check_member(family, name, value));
  }
  AFTUNE_TRY(c.hidden_size, read_extent(config, "hidden_size"));
  AFTUNE_TRY(c.layer_count, read_extent(config, "num_hidden_layers"));
  AFTUNE_TRY(c.head_count, read_extent(config, "num_attention_heads"));
  AFTUNE_TRY(v.image_size, read_side(config, "image_size"));
  AFTUNE_TRY(v.patch_size, read_side(config, "patch_size"));
  AFTUNE_TRY(v.channels, read_extent(config, "num_channels"));
  AFTUNE_TRY(v.qkv_bias, read_flag(config, "qkv_bias", true));
  AFTUNE_TRY(c.vocab_size, read_classes(config));
  AFTUNE_TRY(const double eps, read_number(config, "layer_norm_eps"));
  c.rms_norm_eps = static_cast<float>(eps);
  if (family == Family::kVit) {
    AFTUNE_TRY(c.intermediate_size, read_extent(config, "intermediate_size"));
  } else {
    AFTUNE_TRY(v.mlp_ratio, read_extent(config, "mlp_ratio"));
    AFTUNE_TRY(v.swiglu, read_flag(config, "use_swiglu_ffn", false));
  }
  derive_vision_members(c);
  AFTUNE_TRY(check_config(c).in("config.json"));
  return c;
}

Json vision_to_hf_config(const LlamaConfig& c) {
  const VisionConfig& v = *c.vision;
  const FamilyTraits& traits = traits_of(c.family);
  Json::Object out, names, numbers;
  for (std::uint32_t i = 0; i < c.vocab_size; ++i) {
    const std::string name = "LABEL_" + std::to_string(i);
    names[std::to_string(i)] = name;
    numbers[name] = i;
  }
  out["architectures"] = Json::Array{Json(traits.architecture)};
  out["attention_probs_dropout_prob"] = 0.0;
  out["hidden_act"] = "gelu";
  out["hidden_dropout_prob"] = 0.0;
  out["hidden_size"] = c.hidden_size;
  out["id2label"] = std::move(names);
  out["image_size"] = v.image_size;
  out["label2id"] = std::move(numbers);
  out["layer_norm_eps"] = short_double(c.rms_norm_eps);
  out["model_type"] = traits.name;
  out["num_attention_heads"] = c.head_count;
  out["num_channels"] = v.channels;
  out["num_hidden_layers"] = c.layer_count;
  out["patch_size"] = v.patch_size;
  out["qkv_bias"] = v.qkv_bias;
  out["torch_dtype"] = "float32";
  if (c.family == Family::kVit) {
    out["intermediate_size"] = c.intermediate_size;
    return out;
  }
  out["drop_path_rate"] = 0.0;
  out["mlp_ratio"] = v.mlp_ratio;
  out["use_mask_token"] = false;
  out["use_swiglu_ffn"] = v.swiglu;
  return out;
}

Result<Tensor> normalization_of(const Json& preprocessor, const LlamaConfig& config) {
  AFTUNE_TRY(check_preprocessor(preprocessor));
  const std::size_t channels = config.vision->channels;
  Tensor table = Tensor::zeros({2, channels});
  for (std::size_t c = 0; c < channels; ++c) {
    AFTUNE_TRY(const auto values, read_channel(preprocessor, c, channels));
    table.f32()[c] = values[0];
    table.f32()[channels + c] = values[1];
  }
  return table;
}

}  // namespace aftune::model
