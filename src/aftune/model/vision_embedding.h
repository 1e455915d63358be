// SPDX-License-Identifier: Apache-2.0
// From pixels to the first layer's tokens, and back to the parameters on the way. Inside the model
// module only; order of operations: docs/formats/vit.md.
#pragma once

#include "aftune/model/segment_call.h"
#include "aftune/model/segment_function.h"

namespace aftune::model {

/// The patch matrix [rows * patches, patch values] of normalized pixels.
Tensor patches_of(const Llama& model, const MicroBatch& batch);

/// [T, D]. Errors: kNonFinite.
Result<Tensor> vision_embed(const SegmentCall& call, const Llama& model, const MicroBatch& batch);

/// Writes or adds the gradients of projection, class token and positions. Errors: kNonFinite.
Status vision_embed_grad(const SegmentCall& call, const Llama& model, const MicroBatch& batch,
                         const Tensor& dx, const Gradients& gradients);

}  // namespace aftune::model
