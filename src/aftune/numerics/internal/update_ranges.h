// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/internal/elementwise_kernels.h"

namespace aftune::numerics {

/// Runs `update(begin, count)`, which returns a largest magnitude, over the elements: ranges begin
/// at multiples of 65536. Errors: kNonFinite.
template <typename Update>
Status update_ranges(const Engine& engine, std::size_t count, const Update& update) {
  constexpr std::size_t kGrain = 65536;
  std::vector<std::uint32_t> magnitudes((count + kGrain - 1) / kGrain);
  engine.pool().parallel_ranges(count, kGrain, [&](std::size_t begin, std::size_t end) {
    magnitudes[begin / kGrain] = update(begin, end - begin);
  });
  for (std::size_t i = 0; i < magnitudes.size(); ++i) {
    if (magnitudes[i] < kInfiniteMagnitude) continue;
    return Error{Code::kNonFinite,
                 "a new value among elements " + std::to_string(i * kGrain) + " to " +
                     std::to_string(std::min(count, (i + 1) * kGrain) - 1) + " is not finite"};
  }
  return ok();
}

}  // namespace aftune::numerics
