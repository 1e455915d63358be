// SPDX-License-Identifier: Apache-2.0
// config.json, read: that of a causal language model here. Every member is in one of the tables
// below.
#include <fmt/core.h>

#include <algorithm>
#include <span>

#include "aftune/model/hf_members.h"

namespace aftune::model {
namespace {

using codec::Json;

// Members that parse_hf_config() reads.
constexpr std::string_view kRead[] = {"architectures",
                                      "head_dim",
                                      "hidden_size",
                                      "intermediate_size",
                                      "max_position_embeddings",
                                      "model_type",
                                      "num_attention_heads",
                                      "num_hidden_layers",
                                      "num_key_value_heads",
                                      "rms_norm_eps",
                                      "rope_parameters",
                                      "rope_scaling",
                                      "rope_theta",
                                      "tie_word_embeddings",
                                      "vocab_size"};

struct Fixed {
  std::string_view name;
  Json value;
};

/// The one value that the computation here stands for.
const std::vector<Fixed>& fixed_members() {
  static const std::vector<Fixed> members = {
      {"attention_dropout", 0},      {"chunk_size_feed_forward", 0}, {"hidden_act", "silu"},
      {"is_encoder_decoder", false}, {"pretraining_tp", 1},          {"rope_interleaved", false}};
  return members;
}

/// What one family has besides.
struct FamilyMembers {
  std::vector<Fixed> fixed;
  std::vector<std::string_view> ignored;
};

const FamilyMembers& members_of(Family family) {
  static const FamilyMembers llama = {
      {{"attention_bias", false}, {"mlp_bias", false}, {"sliding_window", Json()}}, {}};
  static const FamilyMembers mistral = {{{"attention_bias", false}, {"mlp_bias", false}},
                                        {"sliding_window"}};
  // Without use_sliding_window the two ignored ones mean nothing.
  static const FamilyMembers qwen2 = {{{"use_mrope", false}, {"use_sliding_window", false}},
                                      {"layer_types", "max_window_layers", "sliding_window"}};
  static const FamilyMembers qwen3 = {{{"attention_bias", false}, {"use_sliding_window", false}},
                                      {"layer_types", "max_window_layers", "sliding_window"}};
  switch (family) {
    case Family::kMistral:
      return mistral;
    case Family::kQwen2:
      return qwen2;
    case Family::kQwen3:
      return qwen3;
    case Family::kLlama:
    case Family::kVit:
    case Family::kDinov2:
      break;  // image classifiers have lists of their own: hf_vision_config.cc
  }
  return llama;
}

bool same_value(const Json& a, const Json& b) {
  const auto x = number_of(a);
  const auto y = number_of(b);
  return x && y ? *x == *y : a == b;
}

bool contains(std::span<const std::string_view> list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

Status check_member(Family family, const std::string& name, const Json& value) {
  const FamilyMembers& own = members_of(family);
  if (hf_ignored(name) || contains(kRead, name) || contains(own.ignored, name)) return ok();
  for (const auto* list : {&fixed_members(), &own.fixed}) {
    for (const Fixed& fixed : *list) {
      if (fixed.name != name) continue;
      if (same_value(value, fixed.value)) return ok();
      return hf_unsupported(
          fmt::format("{} is {}, supported is {}", name, spelled(value), spelled(fixed.value)));
    }
  }
  return hf_unsupported(fmt::format("unknown member {}, which is {}", name, spelled(value)));
}

Result<Family> read_family(const Json& config) {
  const Json* type = config.find("model_type");
  if (type == nullptr) return hf_invalid("model_type is missing");
  const FamilyTraits* traits = type->string() == nullptr ? nullptr : find_family(*type->string());
  if (traits == nullptr) {
    std::string known;
    for (const FamilyTraits& each : families()) {
      known += fmt::format("{}\"{}\"", known.empty() ? "" : ", ", each.name);
    }
    return hf_unsupported(fmt::format("model_type is {}, supported are {}", spelled(*type), known));
  }
  if (absent(config, "architectures")) return traits->family;
  const Json& list = *config.find("architectures");
  if (list == Json(Json::Array{Json(traits->architecture)})) return traits->family;
  return hf_unsupported(
      fmt::format("architectures is {}, supported with model_type \"{}\" is "
                  "[\"{}\"]",
                  spelled(list), traits->name, traits->architecture));
}

/// Every layer attends to all earlier positions.
Status check_layer_types(const Json& config) {
  if (absent(config, "layer_types")) return ok();
  const Json& list = *config.find("layer_types");
  if (list.array() == nullptr) {
    return hf_invalid(fmt::format("layer_types is {}, no list", spelled(list)));
  }
  for (const Json& type : *list.array()) {
    if (type == Json("full_attention")) continue;
    return hf_unsupported(
        fmt::format("layer_types has {}, supported is \"full_attention\"", spelled(type)));
  }
  return ok();
}

/// transformers has defaults of its own for an absent member, other ones in each family: only those
/// of Llama are taken over.
Status read_heads(const Json& config, LlamaConfig& c) {
  AFTUNE_TRY(c.head_count, read_extent(config, "num_attention_heads"));
  c.kv_head_count = c.head_count;
  const Json* shared = config.find("num_key_value_heads");
  if (shared == nullptr && c.family != Family::kLlama) {
    return hf_invalid("num_key_value_heads is missing");
  }
  if (!absent(config, "num_key_value_heads")) {
    AFTUNE_TRY(c.kv_head_count, read_extent(config, "num_key_value_heads"));
  }
  if (!absent(config, "head_dim") || c.family == Family::kQwen3) {
    AFTUNE_TRY(c.head_dim, read_extent(config, "head_dim"));
    return ok();
  }
  if (c.hidden_size % c.head_count != 0) {
    return hf_invalid(fmt::format("hidden_size {} is no multiple of num_attention_heads {}",
                                  c.hidden_size, c.head_count));
  }
  c.head_dim = c.hidden_size / c.head_count;
  return ok();
}

Status read_window(const Json& config, LlamaConfig& c) {
  if (c.family != Family::kMistral) return check_layer_types(config);
  const Json* window = config.find("sliding_window");
  if (window != nullptr && window->is_null()) return ok();
  AFTUNE_TRY(c.sliding_window, read_extent(config, "sliding_window"));
  return ok();
}

}  // namespace

Result<LlamaConfig> parse_hf_config(const Json& config) {
  if (config.object() == nullptr) return hf_invalid("no object");
  LlamaConfig c;
  AFTUNE_TRY(c.family, read_family(config));
  if (traits_of(c.family).vision) return parse_hf_vision_config(config, c.family);
  for (const auto& [name, value] : *config.object()) {
    AFTUNE_TRY(check_member(c.family, name, value));
  }
  AFTUNE_TRY(c.vocab_size, read_extent(config, "vocab_size"));
  AFTUNE_TRY(c.hidden_size, read_extent(config, "hidden_size"));
  AFTUNE_TRY(c.intermediate_size, read_extent(config, "intermediate_size"));
  AFTUNE_TRY(c.layer_count, read_extent(config, "num_hidden_layers"));
  AFTUNE_TRY(c.max_positions, read_extent(config, "max_position_embeddings"));
  AFTUNE_TRY(read_heads(config, c));
  AFTUNE_TRY(const Rope rope, read_rope(config));
  c.rope_theta = rope.theta;
  c.rope_scaling = rope.scaling;
  AFTUNE_TRY(read_window(config, c));
  AFTUNE_TRY(const double eps, read_number(config, "rms_norm_eps"));
  c.rms_norm_eps = static_cast<float>(eps);
  if (!absent(config, "tie_word_embeddings")) {
    const Json& value = *config.find("tie_word_embeddings");
    if (value.boolean() == nullptr) {
      return hf_invalid(
          fmt::format("tie_word_embeddings is {}, neither true nor false", spelled(value)));
    }
    c.tied_embeddings = *value.boolean();
  }
  AFTUNE_TRY(check_config(c).in("config.json"));
  return c;
}

}  // namespace aftune::model
