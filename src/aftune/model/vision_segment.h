// SPDX-License-Identifier: Apache-2.0
// The segment function of an image classifier: what segment_function.h declares, for models with
// a VisionConfig. Inside the model module only; order of operations: docs/formats/vit.md.
#pragma once

#include <memory>
#include <vector>

#include "aftune/model/segment_function.h"
#include "aftune/model/vision_layer.h"

namespace aftune::model {

/// What a backward needs of its forward.
struct VisionTape {
  std::vector<VisionLayerTape> layers;
  std::shared_ptr<const Tensor> head_input;
  Tensor d_logits;  // stands where the logits stood
};

Result<SegmentOutput> vision_forward(const numerics::Engine& engine, const Llama& model,
                                     const Segment& segment, const ParameterView& parameters,
                                     const MicroBatch& batch, std::shared_ptr<const Tensor> input,
                                     VisionTape* tape);

Result<Tensor> vision_backward(const numerics::Engine& engine, const Llama& model,
                               const Segment& segment, const ParameterView& parameters,
                               const MicroBatch& batch, VisionTape tape, const Tensor* d_output,
                               const Gradients& gradients);

/// [rows, classes].
Result<Tensor> vision_logits(const numerics::Engine& engine, const Llama& model,
                             const ParameterView& parameters, const MicroBatch& batch);

}  // namespace aftune::model
