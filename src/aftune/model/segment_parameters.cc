// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/segment_parameters.h"

#include "aftune/model/layer_names.h"

namespace aftune::model {

std::vector<TensorSpec> segment_parameters(const LlamaConfig& config, const Segment& segment) {
  const auto reads = [&](const TensorSpec& spec) {
    if (is_embedding(spec.name) && segment.embeds) return true;
    if (const auto layer = layer_of(spec.name)) {
      return *layer - segment.first_layer < segment.layer_count;
    }
    if (!segment.heads) return false;
    return !is_embedding(spec.name) || spec.name == head_weight(config);
  };
  std::vector<TensorSpec> out;
  for (TensorSpec& spec : parameter_specs(config)) {
    if (reads(spec)) out.push_back(std::move(spec));
  }
  return out;
}

}  // namespace aftune::model
