// SPDX-License-Identifier: Apache-2.0
// A tiny random model, cut into blocks, with a micro-batch and a probe.
#pragma once

#include <algorithm>
#include <utility>

#include "aftune/attack/probe.h"
#include "aftune/model/tiny_llama_testing.h"

namespace aftune::attack::testing {

/// A random model's parameters, cut into blocks.
inline States random_states(const model::LlamaConfig& config, const model::Partition& partition,
                            std::uint32_t seed) {
  TensorMap all = model::testing::random_parameters(config, seed);
  States states;
  for (std::uint32_t block = 0; block < partition.block_count; ++block) {
    states.emplace_back();
    for (const TensorSpec& spec : model::block_parameters(config, partition, block)) {
      states.back().parameters.insert(all.extract(spec.name));
    }
  }
  return states;
}

struct ProbedModel {
  ProbedModel(bool tied, std::uint32_t layers_per_block, std::uint32_t seed = 1)
      : llama(model::testing::make_llama(model::testing::tiny_config(
            3, tied ? model::testing::Embeddings::kTied : model::testing::Embeddings::kUntied))),
        partition(model::make_partition(llama.config, layers_per_block)),
        batch(model::testing::random_batch(llama.config, 2, 6, seed)),
        states(random_states(llama.config, partition, seed)),
        probe(engine, llama, partition, states) {}

  [[nodiscard]] TensorMap all_parameters() const {
    TensorMap out;
    for (const train::BlockState& state : states) {
      for (const auto& [name, tensor] : state.parameters) out.emplace(name, tensor.clone());
    }
    return out;
  }

  model::testing::TestEngine engine;
  model::Llama llama;
  model::Partition partition;
  model::MicroBatch batch;
  States states;
  Probe probe;
};

}  // namespace aftune::attack::testing
