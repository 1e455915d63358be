// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace aftune::train {

struct BatchSpec {
  std::uint64_t batch = 0;        // samples an optimizer step
  std::uint64_t micro_batch = 0;  // samples a micro-batch; the last may be smaller
  friend bool operator==(const BatchSpec&, const BatchSpec&) = default;
};

}  // namespace aftune::train
