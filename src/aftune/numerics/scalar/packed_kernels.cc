// SPDX-License-Identifier: Apache-2.0
// The reference of products with packed matrices.
#include "aftune/numerics/internal/packed_kernels.h"

#include <cmath>

namespace aftune::numerics {
namespace {

void multiply(const RowBlock* rows, std::size_t count, const PanelBlock& panel, std::size_t depth,
              float* tile) {
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < kPanelRows; ++j) {
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < depth; ++k) {
        const RowBlock::Pair& x = rows[i].pairs[k / 2];
        const std::int32_t q = panel.values[k / 2][j][k % 2];
        const std::int32_t h = (q + 128) >> 8;
        sum += x.high[k % 2] * q + x.low[k % 2] * h;
      }
      float& c = tile[i * kPanelRows + j];
      c = std::fma(static_cast<float>(sum), panel.scale[j] * rows[i].scale, c);
    }
  }
}

}  // namespace

extern const PackedKernels kScalarPackedKernels;
const PackedKernels kScalarPackedKernels = {"scalar", multiply};

}  // namespace aftune::numerics
