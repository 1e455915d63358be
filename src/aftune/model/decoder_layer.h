// SPDX-License-Identifier: Apache-2.0
// One decoder layer, forward and backward. Inside the model module only; order of operations:
// docs/formats/llama.md.
#pragma once

#include <cstdint>
#include <memory>

#include "aftune/model/segment_call.h"

namespace aftune::model {

/// What the backward of a layer takes from its forward. Outputs of norms and of the gated unit are
/// left out: computing them again costs less than keeping them.
struct LayerTape {
  std::shared_ptr<const Tensor> input;  // shared with the recorder where it is an edge
  Tensor raw_query, raw_key;            // before the norms of heads; empty without them
  Tensor query, key, value;             // rotated
  Tensor attended;
  Tensor middle;  // after attention and its residual
  Tensor gate, up;
};

/// The layer's output [T, D]. With `tape` null nothing is kept. Errors: kNonFinite.
Result<Tensor> layer_forward(const SegmentCall& call, std::uint32_t layer,
                             std::shared_ptr<const Tensor> input, LayerTape* tape);

/// Turns `dx` from the gradient of the output into that of the input, and writes or adds the
/// parameters' gradients. Errors: kNonFinite.
Status layer_backward(const SegmentCall& call, std::uint32_t layer, LayerTape tape, Tensor& dx,
                      const Gradients& gradients);

}  // namespace aftune::model
