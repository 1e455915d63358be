// SPDX-License-Identifier: Apache-2.0
// What an adapter adds to a linear layer, forward and backward. Inside the model module only; order
// of operations: docs/formats/lora.md, "Arithmetic".
#pragma once

#include <optional>
#include <string>

#include "aftune/base/result.h"
#include "aftune/numerics/dropout.h"
#include "aftune/tensor/tensor.h"

namespace aftune::model {

struct Gradients;
struct Llama;
struct MicroBatch;
struct SegmentCall;

/// How the adapters of one forward or backward are applied. The mask's place is each target's own.
struct AdapterRule {
  float scaling = 0;
  numerics::DropoutMask dropout;
};

/// That of training, with dropout; none for a model without adapters.
std::optional<AdapterRule> adapter_rule(const Llama& model, const MicroBatch& batch);
/// The same rule for answers: nothing is dropped.
std::optional<AdapterRule> without_dropout(std::optional<AdapterRule> rule);

/// y += scaling B A drop(x), if `weight` is a target, or for each of two that it is. Errors:
/// kNonFinite, naming A or B.
Status add_adapter(const SegmentCall& call, const std::string& weight, const Tensor& x, Tensor& y);

/// Writes or adds the gradients of A and B, and adds to dx. Errors: as add_adapter.
Status adapter_grad(const SegmentCall& call, const std::string& weight, const Tensor& x,
                    const Tensor& dy, Tensor& dx, const Gradients& gradients);

}  // namespace aftune::model
