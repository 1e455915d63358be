// SPDX-License-Identifier: Apache-2.0
// Optimizer updates whose moments wait in BF16. Definitions: docs/formats/training.md, "Moments in
// BF16".
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "aftune/base/result.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/update_scalars.h"

namespace aftune::numerics {

/// Where the words of one tensor in one step come from.
struct MomentRounding {
  std::array<std::uint32_t, 2> key = {};
  std::uint32_t place = 0;
  std::uint32_t step = 0;  // from 0
};

// As adamw and sgd of update.h, with bf16 numbers, the upper halves of fp32 numbers' bits, for m, v
// and buffer: widened, updated and rounded again. Errors: kNonFinite also where rounding leaves the
// finite numbers.

/// m is rounded to nearest, v by the counter.
Status adamw_bf16(const Engine& engine, const AdamWScalars& scalars, const MomentRounding& rounding,
                  std::span<const float> gradient, std::span<float> parameter,
                  std::span<std::uint16_t> m, std::span<std::uint16_t> v);

/// Requires: scalars.momentum is not 0.
Status sgd_bf16(const Engine& engine, const SgdScalars& scalars, std::span<const float> gradient,
                std::span<float> parameter, std::span<std::uint16_t> buffer);

}  // namespace aftune::numerics
