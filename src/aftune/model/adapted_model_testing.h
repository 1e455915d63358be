// SPDX-License-Identifier: Apache-2.0
// A small random model with adapters, and what gradients by the chain rule are held against.
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "aftune/model/lora.h"
#include "aftune/model/tiny_llama_testing.h"

namespace aftune::model::testing {

/// B is away from zero.
struct AdaptedModel {
  AdaptedModel(Llama model, TensorMap parameters, MicroBatch images_or_tokens, LoraSpec lora)
      : llama(std::move(model)), base(std::move(parameters)), batch(std::move(images_or_tokens)) {
    llama.lora = std::move(lora);
    llama.dropout_key = {5, 6};
    std::mt19937 random(9);
    for (const TensorSpec& spec : trained_specs(llama.config, llama.lora)) {
      Tensor tensor = Tensor::zeros(spec.shape);
      if (const auto from = base_name(spec.name); !from.empty()) {
        tensor = base.find(from)->second.clone();
      } else {
        for (float& value : tensor.f32()) value = 0.3F * uniform(random);
      }
      trained.emplace(spec.name, std::move(tensor));
    }
    for (const TensorSpec& spec : frozen_specs(llama.config, llama.lora)) {
      frozen.emplace(spec.name, base.find(spec.name)->second.clone());
    }
  }

  [[nodiscard]] ParameterView view() const { return {trained, &frozen}; }
  /// The same model without adapters.
  [[nodiscard]] Llama plain() const { return {llama.config, llama.inv_freq.clone()}; }

  Result<ModelGradients> gradients(const numerics::Engine& engine,
                                   std::uint32_t layers_per_block = 1) const {
    ModelGradients out;
    out.gradients = zeros_like(trained);
    const Partition partition = make_partition(llama.config, layers_per_block);
    AFTUNE_TRY(add_gradients(engine, llama, partition, view(), batch, out));
    return out;
  }

  void clear_b() {
    for (auto& [name, tensor] : trained) {
      if (name.ends_with(".lora_B.weight")) tensor.clear();
    }
  }

  Llama llama;
  TensorMap base, trained, frozen;
  MicroBatch batch;
};

/// The size of a - b against that of b.
inline double error_of(std::span<const float> a, const std::vector<double>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / size);
}

/// scaling B^T G or scaling G A^T, in fp64.
inline std::vector<double> chained(const Tensor& g, const Tensor& other, bool of_a,
                                   double scaling) {
  const std::size_t outputs = g.shape()[0], inputs = g.shape()[1];
  const std::size_t rank = of_a ? other.shape()[1] : other.shape()[0];
  std::vector<double> out(rank * (of_a ? inputs : outputs));
  for (std::size_t n = 0; n < outputs; ++n) {
    for (std::size_t k = 0; k < inputs; ++k) {
      const double term = scaling * g.data()[n * inputs + k];
      for (std::size_t j = 0; j < rank; ++j) {
        if (of_a) {
          out[j * inputs + k] += term * other.data()[n * rank + j];
        } else {
          out[n * rank + j] += term * other.data()[j * inputs + k];
        }
      }
    }
  }
  return out;
}

}  // namespace aftune::model::testing
