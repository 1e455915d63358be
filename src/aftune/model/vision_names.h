// SPDX-License-Identifier: Apache-2.0
// Names of an image classifier's parameters (docs/formats/vit.md). Inside the model module only.
#pragma once

#include <cstdint>
#include <string>

#include "aftune/model/llama_config.h"

namespace aftune::model {

inline constexpr const char* kClassifier = "classifier.weight";

/// Those outside the layers.
struct VisionNames {
  explicit VisionNames(const LlamaConfig& config)
      : prefix(std::string(traits_of(config.family).name) + ".") {}

  [[nodiscard]] std::string class_token() const { return prefix + "embeddings.cls_token"; }
  [[nodiscard]] std::string positions() const { return prefix + "embeddings.position_embeddings"; }
  [[nodiscard]] std::string projection() const {
    return prefix + "embeddings.patch_embeddings.projection.weight";
  }
  [[nodiscard]] std::string final_norm() const { return prefix + "layernorm"; }

  std::string prefix;
};

/// Those of one layer. Norms are named without ".weight" and ".bias".
struct VisionLayerNames {
  VisionLayerNames(const LlamaConfig& config, std::uint32_t layer)
      : prefix(VisionNames(config).prefix + "encoder.layer." + std::to_string(layer) + "."),
        is_vit(config.family == Family::kVit),
        swiglu(config.vision->swiglu) {}

  [[nodiscard]] std::string query() const { return prefix + "attention.attention.query.weight"; }
  [[nodiscard]] std::string key() const { return prefix + "attention.attention.key.weight"; }
  [[nodiscard]] std::string value() const { return prefix + "attention.attention.value.weight"; }
  [[nodiscard]] std::string attention_output() const {
    return prefix + "attention.output.dense.weight";
  }
  [[nodiscard]] std::string first_norm() const {
    return prefix + (is_vit ? "layernorm_before" : "norm1");
  }
  [[nodiscard]] std::string second_norm() const {
    return prefix + (is_vit ? "layernorm_after" : "norm2");
  }
  [[nodiscard]] std::string inner() const {
    if (is_vit) return prefix + "intermediate.dense.weight";
    return prefix + (swiglu ? "mlp.weights_in.weight" : "mlp.fc1.weight");
  }
  [[nodiscard]] std::string outer() const {
    if (is_vit) return prefix + "output.dense.weight";
    return prefix + (swiglu ? "mlp.weights_out.weight" : "mlp.fc2.weight");
  }
  // dinov2 only.
  [[nodiscard]] std::string first_scale() const { return prefix + "layer_scale1.lambda1"; }
  [[nodiscard]] std::string second_scale() const { return prefix + "layer_scale2.lambda1"; }

  [[nodiscard]] std::string attention() const { return prefix + "attention: attention"; }

  std::string prefix;
  bool is_vit, swiglu;
};

}  // namespace aftune::model
