// SPDX-License-Identifier: Apache-2.0
// Dropout by a counter generator. Definition: docs/formats/lora.md, "Dropout".
#pragma once

#include <array>
#include <cstdint>

#include "aftune/numerics/engine.h"
#include "aftune/numerics/matrix.h"

namespace aftune::numerics {

/// Which elements are dropped: the same for equal members, whatever the values.
struct DropoutMask {
  std::array<std::uint32_t, 2> key{};
  std::uint32_t micro_batch = 0, place = 0, step = 0;  // words of the counter
  double share = 0;                                    // dropped on average, in [0, 1)
};

/// out = +0 where the mask drops, else x * fp32(1 / (1 - share)). `out` may be x.
/// Requires: equal shapes, rows without gaps, fewer than 2^34 elements.
void dropout(const Engine& engine, const DropoutMask& mask, ConstMatrix x, Matrix out);

}  // namespace aftune::numerics
