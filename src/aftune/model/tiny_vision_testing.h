// SPDX-License-Identifier: Apache-2.0
// Small random image classifiers and micro-batches for tests. Equal arguments give equal values
// everywhere.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "aftune/model/tiny_llama_testing.h"

namespace aftune::model::testing {

/// Images of 2 x 6 x 6 in 4 patches, 7 classes. DINOv2 with SwiGLU where asked.
inline LlamaConfig tiny_vision_config(Family family, std::uint32_t layers, bool swiglu = false) {
  LlamaConfig config;
  config.family = family;
  config.vocab_size = 7;
  config.hidden_size = 12;
  config.intermediate_size = 20;
  config.layer_count = layers;
  config.head_count = 3;
  config.rms_norm_eps = 1e-3F;
  config.vision = VisionConfig{6, 3, 2, true, family == Family::kVit ? 0U : 3U, swiglu};
  derive_vision_members(config);
  return config;
}

struct TinyVision {
  const char* name;
  LlamaConfig config;
};
inline std::vector<TinyVision> tiny_visions(std::uint32_t layers) {
  LlamaConfig plain = tiny_vision_config(Family::kVit, layers);
  plain.vision->qkv_bias = false;
  return {{"vit", tiny_vision_config(Family::kVit, layers)},
          {"vit_without_qkv_bias", plain},
          {"dinov2", tiny_vision_config(Family::kDinov2, layers)},
          {"dinov2_swiglu", tiny_vision_config(Family::kDinov2, layers, true)}};
}

inline Llama make_vision(const LlamaConfig& config) {
  Tensor table = Tensor::zeros({2, config.vision->channels});
  for (std::uint32_t c = 0; c < config.vision->channels; ++c) {
    table.f32()[c] = 0.25F + 0.25F * static_cast<float>(c);
    table.f32()[config.vision->channels + c] = 0.5F - 0.125F * static_cast<float>(c);
  }
  return {config, std::move(table)};
}

/// Weights of norms and scales near 1, all else around 0.
inline TensorMap random_vision_parameters(const LlamaConfig& config, std::uint32_t seed) {
  std::mt19937 random(seed);
  TensorMap parameters;
  for (const auto& spec : parameter_specs(config)) {
    Tensor tensor = Tensor::zeros(spec.shape);
    const bool near_one = spec.shape.size() == 1 && !spec.name.ends_with(".bias");
    for (float& value : tensor.f32()) value = (near_one ? 1.0F : 0.0F) + 0.5F * uniform(random);
    parameters.emplace(spec.name, std::move(tensor));
  }
  return parameters;
}

/// Random pixels; the classes count up from the seed. `counted` is this micro-batch's own count.
inline MicroBatch random_images(const LlamaConfig& config, std::size_t rows, std::uint32_t seed) {
  std::mt19937 random(seed);
  MicroBatch batch{rows, config.max_positions, {}, {}, rows};
  for (std::size_t i = 0; i < rows * config.vision->image_values(); ++i) {
    batch.pixels.push_back(static_cast<std::uint8_t>(random() >> 24));
  }
  for (std::size_t i = 0; i < rows; ++i) {
    batch.targets.push_back(static_cast<std::int32_t>((seed + i) % config.vocab_size));
  }
  return batch;
}

}  // namespace aftune::model::testing
