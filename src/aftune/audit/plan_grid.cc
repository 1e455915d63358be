// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/plan_grid.h"

#include <algorithm>

namespace aftune::audit {
namespace {

std::uint64_t elements(const Shape& shape) {
  std::uint64_t out = 1;
  for (const auto extent : shape) out *= static_cast<std::uint64_t>(extent);
  return out;
}

/// Each matrix is multiplied once a token, a tied embedding in the head; scores and their use
/// are two more products of head width for each earlier position.
std::uint64_t work_of(const PlanJob& job, const std::vector<TensorSpec>& specs, bool heads) {
  const model::LlamaConfig& config = job.architecture;
  std::uint64_t out = 0;
  for (const TensorSpec& spec : specs) {
    const bool embedding = spec.name == "model.embed_tokens.weight" ||
                           spec.name.ends_with(".cls_token") ||
                           spec.name.ends_with(".position_embeddings");
    if (spec.shape.size() < 2 || (embedding && !(config.tied_embeddings && heads))) continue;
    out += elements(spec.shape);
  }
  return out;
}

LayerBlock layer_block(const PlanJob& job, const model::Partition& partition, std::uint32_t block) {
  LayerBlock out;
  const auto specs = model::block_parameters(job.architecture, partition, block);
  const auto trained =
      model::of_block(model::trained_specs(job.architecture, job.lora), partition, block);
  for (const TensorSpec& spec : trained) out.parameters += elements(spec.shape);
  bool heads = false;
  for (const std::uint32_t index : partition.segments_of(block)) {
    const model::Segment& segment = partition.segments[index];
    out.layers += segment.layer_count;
    heads = heads || segment.heads;
    if (index > 0) ++out.inner_edges;                              // the activation that comes in
    if (index + 1 < partition.segments.size()) ++out.inner_edges;  // the gradient
  }
  const model::LlamaConfig& config = job.architecture;
  out.work = work_of(job, specs, heads) +
             out.layers * 2 * job.sequence * config.head_count * config.head_dim;
  return out;
}

/// Tensors of the optimizer's state beside each parameter.
std::uint64_t moments(const train::OptimizerSpec& optimizer) {
  if (optimizer.kind == train::OptimizerKind::kAdamW) return 2;
  return optimizer.momentum > 0 ? 1 : 0;
}

}  // namespace

PlanGrid plan_grid(const PlanJob& job) {
  PlanGrid out;
  const model::Partition partition =
      model::make_partition(job.architecture, job.grid.layers_per_block);
  for (std::uint32_t b = 0; b < partition.block_count; ++b) {
    out.layer_blocks.push_back(layer_block(job, partition, b));
  }
  out.layers = job.architecture.layer_count;
  out.layers_per_block = job.grid.layers_per_block;
  out.steps = job.steps;
  out.steps_per_block = job.grid.steps_per_block;
  out.state_interval = job.grid.state_interval;
  out.edge_interval = job.grid.edge_interval;
  out.samples = job.samples;
  out.edge_bytes =
      job.samples * job.sequence * job.architecture.hidden_size * element_size(job.boundary);
  out.parameter_bytes = sizeof(float);
  out.state_bytes = sizeof(float) + element_size(job.moments) * moments(job.optimizer);
  out.strategy = job.strategy;
  return out;
}

PlanGrid plan_grid(const trace::Contract& contract) {
  return plan_grid(PlanJob{contract.architecture, contract.grid, contract.steps,
                           contract.batch.batch, contract.sequence(), contract.training.optimizer,
                           contract.audit.strategy, contract.lora(), contract.dtypes.boundary,
                           contract.dtypes.moments});
}

PlanGrid plan_grid(std::uint64_t layers, std::uint64_t layers_per_block, std::uint64_t steps,
                   std::uint64_t steps_per_block) {
  PlanGrid out;
  out.layers = layers;
  out.layers_per_block = layers_per_block;
  out.steps = steps;
  out.steps_per_block = steps_per_block;
  for (std::uint64_t first = 0; first < layers; first += layers_per_block) {
    const std::uint64_t count = std::min(layers_per_block, layers - first);
    out.layer_blocks.push_back({count, count, count, 0});
  }
  return out;
}

}  // namespace aftune::audit
