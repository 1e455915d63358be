// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/partition.h"

#include <algorithm>
#include <string_view>

#include "aftune/base/check.h"
#include "aftune/model/layer_names.h"
#include "aftune/model/lora.h"

namespace aftune::model {
namespace {

/// The block that holds the parameter `name`.
std::uint32_t block_of(const Partition& partition, std::string_view name) {
  if (name.starts_with(kPeftPrefix)) name.remove_prefix(kPeftPrefix.size());
  if (is_embedding(name)) return partition.segments.front().block;
  const std::optional<std::uint32_t> layer = layer_of(name);
  if (!layer) return partition.segments.back().block;
  for (const Segment& segment : partition.segments) {
    if (*layer - segment.first_layer < segment.layer_count) return segment.block;
  }
  AFTUNE_CHECK(false, "layer outside the partition");
}

}  // namespace

std::vector<std::uint32_t> Partition::segments_of(std::uint32_t block) const {
  std::vector<std::uint32_t> out;
  for (const Segment& segment : segments) {
    if (segment.block == block) out.push_back(segment.index);
  }
  return out;
}

Partition make_partition(const LlamaConfig& config, std::uint32_t layers_per_block) {
  AFTUNE_CHECK(layers_per_block >= 1, "a block has at least one layer");
  Partition partition;
  for (std::uint32_t first = 0; first < config.layer_count;) {
    Segment segment;
    segment.index = static_cast<std::uint32_t>(partition.segments.size());
    segment.first_layer = first;
    segment.layer_count = std::min(layers_per_block, config.layer_count - first);
    segment.embeds = first == 0;
    segment.block = partition.block_count++;
    first += segment.layer_count;
    partition.segments.push_back(segment);
  }
  if (config.tied_embeddings) {
    Segment head;
    head.index = static_cast<std::uint32_t>(partition.segments.size());
    head.first_layer = config.layer_count;
    head.block = 0;
    partition.segments.push_back(head);
  }
  partition.segments.back().heads = true;
  return partition;
}

std::vector<TensorSpec> of_block(const std::vector<TensorSpec>& specs, const Partition& partition,
                                 std::uint32_t block) {
  AFTUNE_CHECK(block < partition.block_count, "block outside the partition");
  std::vector<TensorSpec> out;
  for (const TensorSpec& spec : specs) {
    if (block_of(partition, spec.name) == block) out.push_back(spec);
  }
  return out;
}

std::vector<TensorSpec> block_parameters(const LlamaConfig& config, const Partition& partition,
                                         std::uint32_t block) {
  return of_block(parameter_specs(config), partition, block);
}

}  // namespace aftune::model
