// SPDX-License-Identifier: Apache-2.0
// One block of a row as x16's integers, and the two places it goes to: a row that is multiplied,
// or a lane of a panel that stays.
#pragma once

#include <bit>

#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/internal/packed_kernels.h"

namespace aftune::numerics {

/// x16's exponent of `count` values. False if one's size reaches kSizeBound.
bool choose_exponent(const ElementwiseKernels& kernels, const float* in, std::size_t count,
                     int& exponent);
/// Requires: -126 <= exponent <= 127.
float power_of_two(int exponent);

/// rint for |x| < 2^15: beside 1.5 * 2^23 there is no place for a fraction, and the integer stands
/// in the low bits.
inline std::int16_t round_to_integer(float x) {
  constexpr float kShift = 0x1.8p23F;
  return static_cast<std::int16_t>(std::bit_cast<std::uint32_t>(x + kShift));
}

/// `depth` values, then zeros.
struct QuantisedBlock {
  std::int16_t q[kBlock];
  float scale;  // 2^(e + 4)

  /// False if a value's size reaches kSizeBound. Requires: depth <= kBlock.
  bool set(const ElementwiseKernels& kernels, const float* in, std::size_t depth);
};

void put_row(const QuantisedBlock& block, RowBlock& row);

/// Lane `lane` of the panel's first `depth` columns.
void put_lane(const QuantisedBlock& block, std::size_t depth, std::size_t lane, PanelBlock& panel);

}  // namespace aftune::numerics
