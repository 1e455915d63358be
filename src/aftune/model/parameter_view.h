// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "aftune/tensor/tensor_map.h"

namespace aftune::model {

/// The tensors that a segment computes with: those in training, in fp32, and beside adapters
/// (docs/formats/lora.md) those that are frozen, whose matrices may be narrow. Borrows both.
class ParameterView {
 public:
  /// Without `frozen` all parameters are in training, under the base's names. Implicit: a plain
  /// model is its parameters. Requires: nothing frozen that is trained (frozen_specs()).
  ParameterView(const TensorMap& trained, const TensorMap* frozen = nullptr)
      : trained_(&trained), frozen_(frozen) {}

  [[nodiscard]] bool has_frozen() const { return frozen_ != nullptr; }
  /// What stands in the place of the base's `name`, or null.
  [[nodiscard]] const Tensor* find(std::string_view name) const;
  /// A tensor in training by its own name, or null.
  [[nodiscard]] const Tensor* find_trained(std::string_view name) const;

 private:
  const TensorMap* trained_;
  const TensorMap* frozen_;
};

}  // namespace aftune::model
