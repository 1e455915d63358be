// SPDX-License-Identifier: Apache-2.0
// What training a model takes, before there is one: parameters, memory, and what a run stores.
// What is counted: docs/guides/plan.md, "A model".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aftune/model/llama_config.h"
#include "aftune/model/lora.h"
#include "aftune/trace/contract.h"

namespace aftune::audit {

/// Equal tensors of all layers as one: "model.layers.N.mlp.up_proj.weight".
struct ParameterKind {
  std::string name;
  Shape shape;
  std::uint64_t tensors = 0;
  std::uint64_t elements = 0;  // of all of them
};

/// In ascending order of names.
std::vector<ParameterKind> parameter_kinds(const model::LlamaConfig& config);
/// What is trained where adapters are, ascending.
std::vector<ParameterKind> trained_kinds(const model::LlamaConfig& config,
                                         const model::LoraSpec& lora);

struct PlanDtypes {
  Dtype parameters = Dtype::kF32, gradients = Dtype::kF32, moments = Dtype::kF32;
  Dtype boundary = Dtype::kF32;
  Dtype frozen = Dtype::kF32;  // with adapters: of the base
};

struct ModelPlanJob {
  model::LlamaConfig architecture;
  train::OptimizerSpec optimizer;
  trace::GridSpec grid{1, 1, 1, 1};
  std::uint64_t steps = 1, samples = 1, micro_batch = 1, sequence = 1;
  PlanDtypes dtypes;
  std::optional<model::LoraSpec> lora = std::nullopt;  // empty: all parameters are trained
};

/// Bytes that training holds at the top of a step: the last micro-batch's forward is done.
struct MemoryPlan {
  double frozen = 0;  // beside adapters
  double parameters = 0, gradients = 0, moments = 0;
  double activations = 0;  // what the layers' backward takes from the forward
  double logits = 0;
  [[nodiscard]] double total() const {
    return frozen + parameters + gradients + moments + activations + logits;
  }
};

/// Bytes in a run folder.
struct StoragePlan {
  double model = 0;      // the base
  double delivered = 0;  // model or adapter
  double state = 0;      // parameters and moments of one stored state
  double edges = 0;      // activations and gradients of one step
  std::uint64_t states = 0, stored_edges = 0, all_edges = 0;
  std::uint64_t steps = 0;
  [[nodiscard]] double total() const {
    return model + delivered + state * static_cast<double>(states) +
           edges * static_cast<double>(steps);
  }
};

MemoryPlan plan_memory(const ModelPlanJob& job);
StoragePlan plan_storage(const ModelPlanJob& job);

}  // namespace aftune::audit
