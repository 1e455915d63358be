// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/internal/quantised_block.h"

#include <algorithm>

namespace aftune::numerics {

float power_of_two(int exponent) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(127 + exponent) << 23);
}

bool choose_exponent(const ElementwiseKernels& kernels, const float* in, std::size_t count,
                     int& exponent) {
  const std::uint32_t size = kernels.largest_magnitude(in, count);
  if (size >= kSizeBound) return false;
  exponent = std::max(-66, static_cast<int>((size + 0x10100) >> 23) - 141);
  return true;
}

bool QuantisedBlock::set(const ElementwiseKernels& kernels, const float* in, std::size_t depth) {
  int exponent = 0;
  if (!choose_exponent(kernels, in, depth, exponent)) return false;
  const float inverse = power_of_two(-exponent);
  for (std::size_t k = 0; k < depth; ++k) q[k] = round_to_integer(in[k] * inverse);
  std::fill(q + depth, q + kBlock, std::int16_t{0});
  scale = power_of_two(exponent + 4);
  return true;
}

void put_row(const QuantisedBlock& block, RowBlock& row) {
  for (std::size_t pair = 0; pair < kBlock / 2; ++pair) {
    for (std::size_t k = 0; k < 2; ++k) {
      const int q = block.q[2 * pair + k];
      const int high = (q + 128) >> 8;
      row.pairs[pair].high[k] = static_cast<std::int16_t>(high);
      row.pairs[pair].low[k] = static_cast<std::int16_t>(q - 256 * high);
    }
  }
  row.scale = block.scale;
}

void put_lane(const QuantisedBlock& block, std::size_t depth, std::size_t lane, PanelBlock& panel) {
  for (std::size_t pair = 0; pair < (depth + 1) / 2; ++pair) {
    panel.values[pair][lane][0] = block.q[2 * pair];
    panel.values[pair][lane][1] = block.q[2 * pair + 1];
  }
  panel.scale[lane] = block.scale;
}

}  // namespace aftune::numerics
