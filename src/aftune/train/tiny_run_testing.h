// SPDX-License-Identifier: Apache-2.0
// A tiny model in training, for tests: partition, states, micro-batches, and what a step showed.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "aftune/model/tiny_llama_testing.h"
#include "aftune/train/step.h"

namespace aftune::train::testing {

using model::testing::Embeddings;
using model::testing::TestEngine;

inline TrainSpec adamw_spec() {
  return {{OptimizerKind::kAdamW, 0.9, 0.999, 1e-8, 0, 0.01},
          {ScheduleKind::kWarmupCosine, 1e-2, 1, 8},
          {0.5}};
}

/// Keeps every edge, and the order of all calls as text.
class Recorder final : public StepObserver {
 public:
  Status on_edge(const EdgeId& id, EdgeTensor tensor) override {
    const char kind = id.kind == EdgeKind::kActivation ? 'A' : 'G';
    calls.push_back(fmt::format("{}{}.{}", kind, id.edge, id.micro_batch));
    edges.emplace(id, std::move(tensor));
    return ok();
  }
  Status before_update(std::uint32_t block) override {
    calls.push_back(fmt::format("U{}", block));
    return ok();
  }

  std::vector<std::string> calls;
  std::map<EdgeId, EdgeTensor> edges;
};

/// Two micro-batches, of two rows and of one, with the same count as run_step asks.
inline std::vector<model::MicroBatch> tiny_batches(const model::LlamaConfig& config,
                                                   std::uint64_t step) {
  const auto seed = static_cast<std::uint32_t>(100 + 2 * step);
  std::vector<model::MicroBatch> batches;
  batches.push_back(model::testing::random_batch(config, 2, 6, seed));
  batches.push_back(model::testing::random_batch(config, 1, 6, seed + 1));
  const std::uint64_t counted = batches[0].counted + batches[1].counted;
  for (auto& batch : batches) batch.counted = counted;
  return batches;
}

inline BlockState clone(const BlockState& state) {
  return {model::testing::clone(state.parameters), model::testing::clone(state.first),
          model::testing::clone(state.second)};
}

inline std::string first_difference(const BlockState& a, const BlockState& b) {
  for (const auto& [x, y] : {std::pair{&a.parameters, &b.parameters}, std::pair{&a.first, &b.first},
                             std::pair{&a.second, &b.second}}) {
    if (auto difference = model::testing::first_difference(*x, *y); !difference.empty()) {
      return difference;
    }
  }
  return "";
}

/// All blocks of a model; stays where it is, since the blocks borrow from it.
class TinyRun {
 public:
  TinyRun(const numerics::Engine& engine, std::uint32_t layers, Embeddings embeddings,
          std::uint32_t layers_per_block, const TrainSpec& train_spec)
      : spec(train_spec),
        llama(model::testing::make_llama(model::testing::tiny_config(layers, embeddings))),
        partition(model::make_partition(llama.config, layers_per_block)) {
    TensorMap all = model::testing::random_parameters(llama.config, 21);
    states.resize(partition.block_count);
    for (std::uint32_t b = 0; b < partition.block_count; ++b) {
      TensorMap own;
      for (const auto& p : model::block_parameters(llama.config, partition, b)) {
        own.insert(all.extract(p.name));
      }
      states[b] = initial_state(spec.optimizer, std::move(own));
      blocks.emplace_back(engine, llama, partition, b, states[b]);
    }
  }
  TinyRun(const TinyRun&) = delete;
  TinyRun& operator=(const TinyRun&) = delete;

  Result<StepOutcome> step(std::uint64_t index, StepObserver& observer) {
    return run_step(spec, index, partition, tiny_batches(llama.config, index), blocks, observer);
  }

  /// One state with the tensors of all blocks.
  [[nodiscard]] BlockState whole_state() const {
    BlockState whole;
    for (const auto& state : states) {
      BlockState copy = clone(state);
      whole.parameters.merge(copy.parameters);
      whole.first.merge(copy.first);
      whole.second.merge(copy.second);
    }
    return whole;
  }

  TrainSpec spec;
  model::Llama llama;
  model::Partition partition;
  std::vector<BlockState> states;
  std::vector<BlockStep> blocks;
};

}  // namespace aftune::train::testing
