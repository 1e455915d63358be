// SPDX-License-Identifier: Apache-2.0
// One layer of an image classifier, forward and backward. Inside the model module only; order of
// operations: docs/formats/vit.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "aftune/model/segment_call.h"
#include "aftune/numerics/layer_norm.h"

namespace aftune::model {

/// What the backward of a layer takes from its forward.
struct VisionLayerTape {
  std::shared_ptr<const Tensor> input;
  Tensor query, key, value, attended;
  Tensor first_branch;  // before its scale; empty in vit, as the next
  Tensor middle;        // after attention and its residual
  Tensor inner;         // before the activation
  Tensor second_branch;
};

/// The layer's output [T, D]. With `tape` null nothing is kept. Errors: kNonFinite.
Result<Tensor> vision_layer_forward(const SegmentCall& call, std::uint32_t layer,
                                    std::shared_ptr<const Tensor> input, VisionLayerTape* tape);

/// Turns `dx` from the gradient of the output into that of the input, and writes or adds the
/// parameters' gradients. Errors: kNonFinite.
Status vision_layer_backward(const SegmentCall& call, std::uint32_t layer, VisionLayerTape tape,
                             Tensor& dx, const Gradients& gradients);

/// The layer norm's weights by its name without ".weight" and ".bias".
numerics::LayerNormWeights layer_norm_of(const SegmentCall& call, const std::string& name);
/// Where the gradients of a layer norm's weights go; of frozen ones they are made and dropped.
struct LayerNormGradients {
  LayerNormGradients(const SegmentCall& call, const std::string& name, const Gradients& gradients);
  Tensor unused_weight, unused_bias;
  std::span<float> weight, bias;
};

}  // namespace aftune::model
