// SPDX-License-Identifier: Apache-2.0
// A few sums with signs that stand for many numbers: README.md, "Sketches".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace aftune::golden {

/// The output number `index` of SplitMix64 from seed 0.
inline std::uint64_t mixed(std::uint64_t index) {
  std::uint64_t h = (index + 1) * 0x9E3779B97F4A7C15;
  h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9;
  h = (h ^ (h >> 27)) * 0x94D049BB133111EB;
  return h ^ (h >> 31);
}

/// Element i is added to bucket mixed(i) mod `buckets`, negated where the top bit is set.
inline std::vector<double> sketch(std::span<const float> values, std::size_t buckets) {
  std::vector<double> out(buckets);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t h = mixed(i);
    const auto value = static_cast<double>(values[i]);
    out[h % buckets] += (h >> 63) != 0 ? -value : value;
  }
  return out;
}

}  // namespace aftune::golden
