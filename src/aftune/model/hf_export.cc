// SPDX-License-Identifier: Apache-2.0
// The config.json of an exported model: docs/formats/model-folder.md.
#include <cmath>

#include "aftune/model/hf_members.h"

namespace aftune::model {
namespace {

using codec::Json;

/// An integer where the value is one, as people write bases: 100000, not 1e+05.
Json plain_number(double value) {
  const bool whole = value < 0x1p53 && value == std::floor(value);
  return whole ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

Json::Object scaling_members(const RopeScaling& scaling) {
  // Reals even where they are whole: transformers asks for floats here.
  return {{"factor", scaling.factor},
          {"high_freq_factor", scaling.high_freq_factor},
          {"low_freq_factor", scaling.low_freq_factor},
          {"original_max_position_embeddings", scaling.original_max_positions},
          {"rope_type", "llama3"}};
}

/// For transformers of before and after version 5, which read different members.
void put_rope(const LlamaConfig& config, Json::Object& out) {
  Json::Object rope = {{"rope_type", "default"}};
  if (config.rope_scaling) {
    rope = scaling_members(*config.rope_scaling);
    out["rope_scaling"] = rope;
  }
  rope["rope_theta"] = plain_number(config.rope_theta);
  out["rope_parameters"] = rope;
  out["rope_theta"] = plain_number(config.rope_theta);
}

/// What transformers' class of this family needs besides.
void put_family_members(const LlamaConfig& config, Json::Object& out) {
  switch (config.family) {
    case Family::kLlama:
      out["attention_bias"] = false;
      out["mlp_bias"] = false;
      return;
    case Family::kMistral:
      out["sliding_window"] = config.sliding_window == 0 ? Json() : Json(config.sliding_window);
      return;
    case Family::kQwen3:
      out["attention_bias"] = false;
      [[fallthrough]];
    case Family::kQwen2:
      out["sliding_window"] = Json();
      out["use_sliding_window"] = false;
      return;
    case Family::kVit:
    case Family::kDinov2:
      return;  // vision_to_hf_config()
  }
}

}  // namespace

Json to_hf_config(const LlamaConfig& config) {
  if (config.vision) return vision_to_hf_config(config);
  const FamilyTraits& traits = traits_of(config.family);
  Json::Object out;
  out["architectures"] = Json::Array{Json(traits.architecture)};
  out["attention_dropout"] = 0.0;
  out["head_dim"] = config.head_dim;
  out["hidden_act"] = "silu";
  out["hidden_size"] = config.hidden_size;
  out["intermediate_size"] = config.intermediate_size;
  out["max_position_embeddings"] = config.max_positions;
  out["model_type"] = traits.name;
  out["num_attention_heads"] = config.head_count;
  out["num_hidden_layers"] = config.layer_count;
  out["num_key_value_heads"] = config.kv_head_count;
  out["rms_norm_eps"] = short_double(config.rms_norm_eps);
  put_rope(config, out);
  out["tie_word_embeddings"] = config.tied_embeddings;
  out["torch_dtype"] = "float32";
  out["use_cache"] = true;
  out["vocab_size"] = config.vocab_size;
  put_family_members(config, out);
  return out;
}

}  // namespace aftune::model
