// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/segment_parameters.h"

#include "aftune/model/layer_names.h"

namespace aftune::model {

std::vector<TensorSpec> segment_parameters(const LlamaConfig& config, const Segment& segment) {
  const auto reads = [&](const TensorSpec& spec) {
    if (spec.name == kEmbedding && segment.embeds) return true;
    if (segment.heads && (spec.name == kFinalNorm || spec.name == head_weight(config))) return true;
    for (std::uint32_t i = 0; i < segment.layer_count; ++i) {
      if (spec.name.starts_with(LayerNames(segment.first_layer + i).prefix)) return true;
    }
    return false;
  };
  std::vector<TensorSpec> out;
  for (TensorSpec& spec : parameter_specs(config)) {
    if (reads(spec)) out.push_back(std::move(spec));
  }
  return out;
}

}  // namespace aftune::model
