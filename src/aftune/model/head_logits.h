// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aftune/model/segment_function.h"

namespace aftune::model {

/// Logits [rows of x, vocab] of what enters the head, row by row: a part of forward_logits.
/// Shapes: x fp32 [any, hidden]. Errors: kNonFinite.
Result<Tensor> head_logits(const numerics::Engine& engine, const Llama& model,
                           const TensorMap& parameters, const Tensor& x);

}  // namespace aftune::model
