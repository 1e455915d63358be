// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "aftune/tensor/tensor.h"

namespace aftune {

/// Tensors by name, in ascending byte order of the names: the order of roots, lists and norms.
using TensorMap = std::map<std::string, Tensor, std::less<>>;

/// A tensor that is expected: what a contract implies, before any bytes are seen.
struct TensorSpec {
  std::string name;
  Dtype dtype = Dtype::kF32;
  Shape shape;
  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};

}  // namespace aftune
