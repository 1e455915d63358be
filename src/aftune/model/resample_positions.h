// SPDX-License-Identifier: Apache-2.0
// An image classifier's positions for images of another size. Inside the model module only.
#pragma once

#include <cstdint>

#include "aftune/tensor/tensor.h"

namespace aftune::model {

/// The table for `to` x `to` patches made from one for `from` x `from`: bicubic convolution with
/// a = -0.75 at half-pixel centres, as transformers interpolates while it runs (Keys 1981;
/// docs/formats/vit.md, "Positions of another size"). The class token's row stays as it is.
/// Requires: `table` is fp32 [1, 1 + from^2, D]; from, to >= 1.
Tensor resample_positions(const Tensor& table, std::uint32_t from, std::uint32_t to);

}  // namespace aftune::model
