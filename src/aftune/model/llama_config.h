// SPDX-License-Identifier: Apache-2.0
// The architecture of a Llama or of a relative, or of an image classifier, as contracts and
// config.json state it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/codec/json.h"
#include "aftune/codec/json_reader.h"
#include "aftune/model/family.h"
#include "aftune/model/vision_config.h"
#include "aftune/tensor/tensor_map.h"

namespace aftune::model {

/// How the rotary frequencies are stretched: rope type "llama3" (docs/formats/model-folder.md).
struct RopeScaling {
  double factor = 0;
  double low_freq_factor = 0;
  double high_freq_factor = 0;
  std::uint32_t original_max_positions = 0;

  friend bool operator==(const RopeScaling&, const RopeScaling&) = default;
};

struct LlamaConfig {
  Family family = Family::kLlama;
  std::uint32_t vocab_size = 0;
  std::uint32_t hidden_size = 0;
  std::uint32_t intermediate_size = 0;
  std::uint32_t layer_count = 0;
  std::uint32_t head_count = 0;
  std::uint32_t kv_head_count = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t max_positions = 0;
  float rms_norm_eps = 0;
  double rope_theta = 0;
  bool tied_embeddings = false;
  std::optional<RopeScaling> rope_scaling = std::nullopt;
  std::uint32_t sliding_window = 0;  // 0: none; else no longer sequence is computed
  /// Of an image classifier: then vocab_size is the number of classes, max_positions that of the
  /// tokens of an image, and rms_norm_eps the layer norms'; what rotates or is tied is not there.
  std::optional<VisionConfig> vision = std::nullopt;

  /// Of query, key and value.
  [[nodiscard]] bool has_projection_biases() const { return traits_of(family).projection_biases; }
  /// Of each head of query and key.
  [[nodiscard]] bool has_head_norms() const { return traits_of(family).head_norms; }
  /// The most tokens of a sequence: positions, or the window if that is less.
  [[nodiscard]] std::uint32_t longest_sequence() const;

  friend bool operator==(const LlamaConfig&, const LlamaConfig&) = default;
};

/// From Hugging Face's config.json. Every member must be known and supported: another rope scaling
/// than llama3, other biases, another activation or an unknown name is an error naming it and its
/// value. Rules: docs/formats/model-folder.md.
/// Errors: kInvalidInput, kUnsupported.
Result<LlamaConfig> parse_hf_config(const codec::Json& config);

/// The config.json of an exported model: what parse_hf_config reads back as `config`.
codec::Json to_hf_config(const LlamaConfig& config);

/// The object of a contract's "model.architecture" (docs/formats/contract.md), both ways.
codec::Json to_contract(const LlamaConfig& config);
Result<LlamaConfig> architecture_from_contract(codec::JsonReader& reader);

/// Limits that keep every shape below 2^46 bytes and the heads divisible; kInvalidInput with the
/// name and both numbers otherwise.
Status check_config(const LlamaConfig& config);

/// Every trained parameter with Hugging Face's names, ascending by name.
std::vector<TensorSpec> parameter_specs(const LlamaConfig& config);

/// The frozen table that the importer makes and the model root binds, kept in the folder's
/// aftune.safetensors: rotary inverse frequencies, or an image classifier's normalization.
TensorSpec table_spec(const LlamaConfig& config);

/// Name of the rotary inverse frequencies, fp32 [head_dim / 2].
inline constexpr const char* kInvFreqName = "aftune.rotary.inv_freq";

/// base^(-2i/d) for i in [0, d/2), scaled where the architecture says so, rounded as Hugging Face
/// rounds it, by exact_exp/exact_log.
Tensor make_inv_freq(const LlamaConfig& config);

}  // namespace aftune::model
