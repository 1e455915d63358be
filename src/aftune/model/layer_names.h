// SPDX-License-Identifier: Apache-2.0
// Names of a Llama's parameters (docs/formats/llama.md), and of which layer a parameter of any
// family is. Inside the model module only.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "aftune/model/llama_config.h"

namespace aftune::model {

inline constexpr const char* kEmbedding = "model.embed_tokens.weight";
inline constexpr const char* kFinalNorm = "model.norm.weight";

inline std::string head_weight(const LlamaConfig& config) {
  return config.tied_embeddings ? kEmbedding : "lm_head.weight";
}

/// The number of the layer that a parameter of any family belongs to, by its name in a file or in
/// PEFT, or nothing.
inline std::optional<std::uint32_t> layer_of(std::string_view name) {
  for (const std::string_view prefix :
       {"model.layers.", "vit.encoder.layer.", "vit.layers.", "dinov2.encoder.layer."}) {
    if (!name.starts_with(prefix)) continue;
    std::uint32_t layer = 0;
    name.remove_prefix(prefix.size());
    std::from_chars(name.data(), name.data() + name.size(), layer);
    return layer;
  }
  return std::nullopt;
}

/// Whether the first segment reads a parameter before its layers.
inline bool is_embedding(std::string_view name) {
  return name == kEmbedding || name.starts_with("vit.embeddings.") ||
         name.starts_with("dinov2.embeddings.");
}

/// The bias that belongs to a weight, where the family has one: "x.weight" to "x.bias".
inline std::string bias_of(std::string_view weight) {
  constexpr std::string_view kSuffix = "weight";
  return std::string(weight.substr(0, weight.size() - kSuffix.size())) + "bias";
}

/// Those of one layer.
struct LayerNames {
  explicit LayerNames(std::uint32_t layer)
      : prefix("model.layers." + std::to_string(layer) + ".") {}

  [[nodiscard]] std::string weight(const char* part) const { return prefix + part + ".weight"; }
  [[nodiscard]] std::string input_norm() const { return weight("input_layernorm"); }
  [[nodiscard]] std::string query() const { return weight("self_attn.q_proj"); }
  [[nodiscard]] std::string key() const { return weight("self_attn.k_proj"); }
  [[nodiscard]] std::string value() const { return weight("self_attn.v_proj"); }
  [[nodiscard]] std::string query_norm() const { return weight("self_attn.q_norm"); }
  [[nodiscard]] std::string key_norm() const { return weight("self_attn.k_norm"); }
  [[nodiscard]] std::string output() const { return weight("self_attn.o_proj"); }
  [[nodiscard]] std::string middle_norm() const { return weight("post_attention_layernorm"); }
  [[nodiscard]] std::string gate() const { return weight("mlp.gate_proj"); }
  [[nodiscard]] std::string up() const { return weight("mlp.up_proj"); }
  [[nodiscard]] std::string down() const { return weight("mlp.down_proj"); }
  [[nodiscard]] std::string attention() const { return prefix + "self_attn: attention"; }

  std::string prefix;
};

}  // namespace aftune::model
