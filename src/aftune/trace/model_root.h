// SPDX-License-Identifier: Apache-2.0
// The model root: docs/formats/contract.md, "Model root".
#pragma once

#include <map>
#include <optional>
#include <string>

#include "aftune/crypto/digest.h"
#include "aftune/tensor/tensor_map.h"

namespace aftune::trace {

/// What a root binds of one tensor besides its name.
struct RootedTensor {
  Dtype dtype = Dtype::kF32;
  Shape shape;
  Digest digest;  // plain BLAKE3-256 of the elements
};

/// `salt` empty for a public base.
Digest model_root(const std::map<std::string, RootedTensor, std::less<>>& tensors,
                  const std::optional<Digest>& salt);

}  // namespace aftune::trace
