// SPDX-License-Identifier: Apache-2.0
// What an image classifier's architecture has beside a decoder's. docs/formats/vit.md.
#pragma once

#include <cstdint>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/codec/json.h"
#include "aftune/codec/json_reader.h"
#include "aftune/model/family.h"
#include "aftune/tensor/tensor_map.h"

namespace aftune::model {

struct LlamaConfig;

struct VisionConfig {
  std::uint32_t image_size = 0;  // of both sides
  std::uint32_t patch_size = 0;
  std::uint32_t channels = 0;
  bool qkv_bias = true;
  std::uint32_t mlp_ratio = 0;  // dinov2 only: inner width by width, before SwiGLU takes its share
  bool swiglu = false;          // dinov2 only

  /// Requires: a checked configuration.
  [[nodiscard]] std::uint32_t patch_count() const {
    return (image_size / patch_size) * (image_size / patch_size);
  }
  /// Values of an image, and of a patch of it.
  [[nodiscard]] std::size_t image_values() const {
    return std::size_t{channels} * image_size * image_size;
  }
  [[nodiscard]] std::size_t patch_values() const {
    return std::size_t{channels} * patch_size * patch_size;
  }

  friend bool operator==(const VisionConfig&, const VisionConfig&) = default;
};

/// Name of the means and deviations of the channels, fp32 [2, channels].
inline constexpr const char* kNormalizationName = "aftune.image.normalization";

/// Completes what follows from the other members: inner width of dinov2, tokens of an image, width
/// of a head. Requires: vision is set. Changes nothing that check_vision_config would refuse.
void derive_vision_members(LlamaConfig& config);

/// What check_config() and parameter_specs() do for an image classifier. Requires: vision is set.
Status check_vision_config(const LlamaConfig& config);
std::vector<TensorSpec> vision_parameter_specs(const LlamaConfig& config);

/// What to_contract(), architecture_from_contract(), parse_hf_config() and to_hf_config() do for
/// one.
codec::Json vision_to_contract(const LlamaConfig& config);
Result<LlamaConfig> vision_from_contract(codec::JsonReader& reader, Family family);
Result<LlamaConfig> parse_hf_vision_config(const codec::Json& config, Family family);
codec::Json vision_to_hf_config(const LlamaConfig& config);

/// The frozen table from a preprocessor_config.json. Errors: kInvalidInput, kUnsupported, naming
/// the member.
Result<Tensor> normalization_of(const codec::Json& preprocessor, const LlamaConfig& config);

}  // namespace aftune::model
