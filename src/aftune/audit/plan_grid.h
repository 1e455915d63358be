// SPDX-License-Identifier: Apache-2.0
// The grid as planning sees it: how many blocks there are, and what each layer block weighs.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "aftune/trace/contract.h"

namespace aftune::audit {

/// One layer block. Without a known architecture, parameters and work are counted in layers and
/// there are no bytes.
struct LayerBlock {
  std::uint64_t layers = 0;
  std::uint64_t parameters = 0;   // elements that are trained
  std::uint64_t work = 0;         // products of a token's forward pass
  std::uint64_t inner_edges = 0;  // edge tensors a micro-batch that a replay opens
};

struct PlanGrid {
  std::vector<LayerBlock> layer_blocks;
  std::uint64_t layers = 0, layers_per_block = 1;
  std::uint64_t steps = 0, steps_per_block = 1;
  std::uint64_t state_interval = 1;
  std::uint32_t edge_interval = 1;
  std::uint64_t samples = 1;          // a step
  std::uint64_t edge_bytes = 0;       // of all micro-batches of a step, at one edge; 0: unknown
  std::uint64_t parameter_bytes = 0;  // of one parameter
  std::uint64_t state_bytes = 0;      // of one parameter with its optimizer state; 0: unknown
  trace::Strategy strategy = trace::Strategy::kUniform;

  [[nodiscard]] std::uint32_t layer_block_count() const {
    return static_cast<std::uint32_t>(layer_blocks.size());
  }
  [[nodiscard]] std::uint64_t step_block_count() const {
    return (steps + steps_per_block - 1) / steps_per_block;
  }
  [[nodiscard]] std::uint64_t block_count() const {
    return layer_block_count() * step_block_count();
  }
};

/// What a plan needs of a job. A contract has all of it.
struct PlanJob {
  model::LlamaConfig architecture;
  trace::GridSpec grid;
  std::uint64_t steps = 0, samples = 1, sequence = 0;
  train::OptimizerSpec optimizer;
  trace::Strategy strategy = trace::Strategy::kUniform;
  std::optional<model::LoraSpec> lora = std::nullopt;
  Dtype boundary = Dtype::kF32;  // of edges
  Dtype moments = Dtype::kF32;   // of the optimizer
};

PlanGrid plan_grid(const PlanJob& job);
PlanGrid plan_grid(const trace::Contract& contract);

/// Layers that are all alike, of a model of which nothing else is known.
/// Requires: layers, steps and the sizes of blocks are at least 1.
PlanGrid plan_grid(std::uint64_t layers, std::uint64_t layers_per_block, std::uint64_t steps,
                   std::uint64_t steps_per_block);

}  // namespace aftune::audit
