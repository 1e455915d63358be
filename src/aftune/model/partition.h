// SPDX-License-Identifier: Apache-2.0
// The grid's lines across the layers: segments, edges and the layer blocks that share parameters
// (docs/glossary.md). Follows from the architecture and B_L alone.
#pragma once

#include <cstdint>
#include <vector>

#include "aftune/model/llama_config.h"
#include "aftune/tensor/tensor.h"

namespace aftune::model {

/// Neighbouring layers that one forward passes through without a recorded line.
/// Edge `index` enters the segment, edge `index + 1` leaves it.
struct Segment {
  std::uint32_t index = 0;  // in execution order
  std::uint32_t first_layer = 0;
  std::uint32_t layer_count = 0;  // 0 for a head of its own
  bool embeds = false;            // token embedding before the first layer
  bool heads = false;             // final norm, logits and loss after the last layer
  std::uint32_t block = 0;
};

struct Partition {
  std::vector<Segment> segments;
  std::uint32_t block_count = 0;
  /// What recorded edges hand over, kF32 or kBF16: docs/formats/training.md, "Edges in BF16".
  Dtype boundary = Dtype::kF32;

  /// Edges 0 (input), 1 .. segments-1 (recorded tensors), segments (loss).
  [[nodiscard]] std::uint32_t edge_count() const {
    return static_cast<std::uint32_t>(segments.size()) + 1;
  }
  /// Ascending segment indices of one block.
  [[nodiscard]] std::vector<std::uint32_t> segments_of(std::uint32_t block) const;
};

/// Cuts after every `layers_per_block` layers. With tied embeddings the head is a segment of its
/// own in block 0; else it belongs to the last segment. Requires: layers_per_block >= 1.
Partition make_partition(const LlamaConfig& config, std::uint32_t layers_per_block);

/// Those of `specs` that belong to one block, in their order. A trained tensor of an adapter
/// contract belongs where the base's tensor does from whose name its own is made.
std::vector<TensorSpec> of_block(const std::vector<TensorSpec>& specs, const Partition& partition,
                                 std::uint32_t block);

/// The parameters of one block, ascending by name. Blocks are disjoint and together they are
/// parameter_specs(config).
std::vector<TensorSpec> block_parameters(const LlamaConfig& config, const Partition& partition,
                                         std::uint32_t block);

}  // namespace aftune::model
