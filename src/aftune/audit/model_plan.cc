// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/model_plan.h"

#include <algorithm>
#include <map>

#include "aftune/base/check.h"
#include "aftune/trace/timeline.h"

namespace aftune::audit {
namespace {

/// The name with N for the layer's number.
std::string kind_of(const std::string& name) {
  for (const std::string_view layers : {"model.layers.", "encoder.layer."}) {
    const std::size_t at = name.find(layers);
    if (at == name.npos) continue;
    const std::size_t number = at + layers.size();
    return name.substr(0, number) + "N" + name.substr(name.find('.', number));
  }
  return name;
}

std::vector<ParameterKind> kinds_of(const std::vector<TensorSpec>& specs) {
  std::map<std::string, ParameterKind> kinds;
  for (const TensorSpec& spec : specs) {
    ParameterKind& kind = kinds[kind_of(spec.name)];
    const auto elements = element_count(spec.shape);
    AFTUNE_CHECK(elements.has_value(), spec.name);
    kind.shape = spec.shape;
    kind.tensors += 1;
    kind.elements += *elements;
  }
  std::vector<ParameterKind> out;
  for (auto& [name, kind] : kinds) {
    kind.name = name;
    out.push_back(std::move(kind));
  }
  return out;
}

double count_of(const std::vector<TensorSpec>& specs) {
  double sum = 0;
  for (const ParameterKind& kind : kinds_of(specs)) sum += static_cast<double>(kind.elements);
  return sum;
}

double size_of(Dtype dtype) { return static_cast<double>(element_size(dtype)); }

double moment_count(const train::OptimizerSpec& optimizer) {
  if (optimizer.kind == train::OptimizerKind::kAdamW) return 2;
  return optimizer.momentum > 0 ? 1 : 0;
}

/// Values that a layer's tape keeps of a token: docs/guides/plan.md.
double kept_values(const model::LlamaConfig& c) {
  if (c.vision) {
    const double branches = c.family == model::Family::kDinov2 ? 2 : 0;
    return (6 + branches) * c.hidden_size + (c.vision->swiglu ? 2.0 : 1.0) * c.intermediate_size;
  }
  const double query = static_cast<double>(c.head_count) * c.head_dim;
  const double key = static_cast<double>(c.kv_head_count) * c.head_dim;
  const double before_norms = c.has_head_norms() ? query + key : 0;
  return 2.0 * c.hidden_size + 2 * query + 2 * key + 2.0 * c.intermediate_size + before_norms;
}

double product(std::uint64_t a, std::uint64_t b) {
  return static_cast<double>(a) * static_cast<double>(b);
}

}  // namespace

std::vector<ParameterKind> parameter_kinds(const model::LlamaConfig& config) {
  return kinds_of(model::parameter_specs(config));
}

std::vector<ParameterKind> trained_kinds(const model::LlamaConfig& config,
                                         const model::LoraSpec& lora) {
  return kinds_of(model::trained_specs(config, lora));
}

MemoryPlan plan_memory(const ModelPlanJob& job) {
  const model::LlamaConfig& c = job.architecture;
  const double parameters = count_of(model::trained_specs(c, job.lora));
  const double tokens = product(std::min(job.micro_batch, job.samples), job.sequence);
  MemoryPlan out;
  out.frozen = count_of(model::frozen_specs(c, job.lora)) * size_of(job.dtypes.frozen);
  out.parameters = parameters * size_of(job.dtypes.parameters);
  out.gradients = parameters * size_of(job.dtypes.gradients);
  out.moments = parameters * moment_count(job.optimizer) * size_of(job.dtypes.moments);
  out.activations = tokens * kept_values(c) * c.layer_count * sizeof(float);
  const double logit_rows =
      c.vision ? static_cast<double>(std::min(job.micro_batch, job.samples)) : tokens;
  out.logits = logit_rows * c.vocab_size * sizeof(float);
  return out;
}

StoragePlan plan_storage(const ModelPlanJob& job) {
  const model::Partition partition =
      model::make_partition(job.architecture, job.grid.layers_per_block);
  trace::Contract contract;  // as much of it as a timeline asks for
  contract.architecture = job.architecture;
  contract.grid = job.grid;
  contract.steps = job.steps;
  const trace::Timeline timeline(contract);
  const double parameters = count_of(model::trained_specs(job.architecture, job.lora));

  StoragePlan out;
  out.steps = job.steps;
  out.model = count_of(model::parameter_specs(job.architecture)) * size_of(job.dtypes.frozen);
  out.delivered = parameters * sizeof(float);
  out.state = parameters * (size_of(job.dtypes.parameters) +
                            moment_count(job.optimizer) * size_of(job.dtypes.moments));
  for (std::uint64_t j = 1; j < timeline.step_blocks(); ++j) out.states += timeline.stored(j);
  for (std::uint32_t e = 1; e < partition.segments.size(); ++e) {
    out.stored_edges += timeline.edge_stored(e);
  }
  out.all_edges = partition.segments.size() - 1;
  out.edges = 2 * static_cast<double>(out.stored_edges) * product(job.samples, job.sequence) *
              job.architecture.hidden_size * size_of(job.dtypes.boundary);
  return out;
}

}  // namespace aftune::audit
