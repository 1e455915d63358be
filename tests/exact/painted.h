// SPDX-License-Identifier: Apache-2.0
// Inputs that are the same on every machine: words of std::mt19937, which the standard pins, and
// none of the library's distributions, which it does not.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace aftune::exact {

using Values = std::vector<float>;

/// Random signs and fractions; sizes from 2^lowest up to, and without, 2^(highest + 1).
/// Requires: -126 <= lowest <= highest <= 127.
inline Values painted(std::size_t count, std::uint32_t seed, int lowest = -4, int highest = 2) {
  std::mt19937 random(seed);
  const auto exponents = static_cast<std::uint32_t>(highest - lowest + 1);
  Values values(count);
  for (float& value : values) {
    const auto word = static_cast<std::uint32_t>(random());
    const std::uint32_t exponent =
        static_cast<std::uint32_t>(lowest + 127) + static_cast<std::uint32_t>(random()) % exponents;
    value = std::bit_cast<float>((word & 0x807fffff) | exponent << 23);
  }
  return values;
}

}  // namespace aftune::exact
