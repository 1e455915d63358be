// SPDX-License-Identifier: Apache-2.0
// The kernels behind packed_weight.h and key_value_cache.h: x16 of a few rows with a matrix that
// was quantised before and is read from memory once. Definition: docs/formats/exact-arithmetic.md,
// "x16". The layout is one for all sets, so that only the inner loop is theirs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "aftune/numerics/internal/product_kernels.h"

namespace aftune::numerics {

/// Rows of the packed side that stand next to each other.
inline constexpr std::size_t kPanelRows = 16;
/// Rows of the other side that a kernel takes at once.
inline constexpr std::size_t kFewRows = 8;

/// One block of a row: h and l of two neighbouring columns, as they are multiplied. The column
/// after an odd depth is zero.
struct alignas(64) RowBlock {
  struct Pair {
    std::int16_t high[2], low[2];
  };
  Pair pairs[kBlock / 2];
  float scale;  // 2^(e + 4): two of them multiply to 2^(e + e' + 8)
};

/// One block of a panel, two bytes a value. Shallow blocks end after their last pair of columns.
struct alignas(64) PanelBlock {
  float scale[kPanelRows];                         // as a RowBlock's
  std::int16_t values[kBlock / 2][kPanelRows][2];  // q; the column after an odd depth is zero

  /// Bytes of a block of `depth` columns.
  static constexpr std::size_t bytes(std::size_t depth) {
    return sizeof(float) * kPanelRows + (depth + 1) / 2 * sizeof(std::int16_t) * 2 * kPanelRows;
  }
};
static_assert(PanelBlock::bytes(kBlock) == sizeof(PanelBlock));

/// Bytes of a panel's blocks, side by side: block b starts at b * sizeof(PanelBlock).
constexpr std::size_t panel_bytes(std::size_t depth) {
  return depth / kBlock * sizeof(PanelBlock) +
         (depth % kBlock == 0 ? 0 : PanelBlock::bytes(depth % kBlock));
}

struct PackedKernels {
  const char* name;
  /// tile(i, j) = fma(T(i, j), scale(i, j), tile(i, j)) for rows[i], i < count, and row j of the
  /// panel; the tile is count x kPanelRows, dense. Requires: 1 <= count <= kFewRows.
  void (*multiply)(const RowBlock* rows, std::size_t count, const PanelBlock& panel,
                   std::size_t depth, float* tile);
};

}  // namespace aftune::numerics
