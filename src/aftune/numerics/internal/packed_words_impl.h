// SPDX-License-Identifier: Apache-2.0
// Products with packed matrices in registers of 16 sums: T = sum(h q') + sum(l h'), pairs of
// columns at once. The including file is of one instruction set and says how a pair of columns is
// multiplied: `Dot::add(sum, a, b)`. Nothing here may be seen by the linker.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "aftune/numerics/internal/packed_kernels.h"

namespace aftune::numerics {
namespace {

constexpr std::size_t kAhead = 2048;  // bytes between what is multiplied and what is fetched

inline __m512i broadcast(const std::int16_t (&two)[2]) {
  std::int32_t both = 0;
  __builtin_memcpy(&both, two, sizeof both);
  return _mm512_set1_epi32(both);
}

// The sums of kStep pairs stay apart, that none waits for the one before it.
template <typename Dot, std::size_t kRows, std::size_t kStep>
inline void add_pairs(const RowBlock* rows, const PanelBlock& panel, std::size_t pair,
                      __m512i (&sum)[kRows][2 * kStep]) {
  const __m512i bias = _mm512_set1_epi16(128);
#pragma GCC unroll 4
  for (std::size_t n = 0; n < kStep; ++n) {
    const auto* values = reinterpret_cast<const char*>(panel.values[pair + n]);
    _mm_prefetch(values + kAhead, _MM_HINT_T0);
    const __m512i q = _mm512_load_si512(values);
    const __m512i h = _mm512_srai_epi16(_mm512_add_epi16(q, bias), 8);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kRows; ++i) {
      Dot::add(sum[i][2 * n], q, broadcast(rows[i].pairs[pair + n].high));
      Dot::add(sum[i][2 * n + 1], h, broadcast(rows[i].pairs[pair + n].low));
    }
  }
}

template <typename Dot, std::size_t kRows>
void multiply_rows(const RowBlock* rows, const PanelBlock& panel, std::size_t depth, float* tile) {
  constexpr std::size_t kStep = kRows == 1 ? 4 : kRows <= 3 ? 2 : 1;
  const std::size_t pairs = (depth + 1) / 2;
  __m512i sum[kRows][2 * kStep];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (std::size_t n = 0; n < 2 * kStep; ++n) sum[i][n] = _mm512_setzero_si512();
  }
  std::size_t pair = 0;
  for (; pair + kStep <= pairs; pair += kStep) add_pairs<Dot, kRows, kStep>(rows, panel, pair, sum);
  __m512i rest[kRows][2];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kRows; ++i) {
    rest[i][0] = sum[i][0];
    rest[i][1] = sum[i][1];
#pragma GCC unroll 8
    for (std::size_t n = 2; n < 2 * kStep; ++n) {
      rest[i][n % 2] = _mm512_add_epi32(rest[i][n % 2], sum[i][n]);
    }
  }
  for (; pair < pairs; ++pair) add_pairs<Dot, kRows, 1>(rows, panel, pair, rest);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kRows; ++i) {
    float* c = tile + i * kPanelRows;
    const __m512 total = _mm512_cvtepi32_ps(_mm512_add_epi32(rest[i][0], rest[i][1]));
    const __m512 scale = _mm512_mul_ps(_mm512_load_ps(panel.scale), _mm512_set1_ps(rows[i].scale));
    _mm512_storeu_ps(c, _mm512_fmadd_ps(total, scale, _mm512_loadu_ps(c)));
  }
}

template <typename Dot>
void multiply_packed(const RowBlock* rows, std::size_t count, const PanelBlock& panel,
                     std::size_t depth, float* tile) {
  switch (count) {
    case 1:
      return multiply_rows<Dot, 1>(rows, panel, depth, tile);
    case 2:
      return multiply_rows<Dot, 2>(rows, panel, depth, tile);
    case 3:
      return multiply_rows<Dot, 3>(rows, panel, depth, tile);
    case 4:
      return multiply_rows<Dot, 4>(rows, panel, depth, tile);
    case 5:
      return multiply_rows<Dot, 5>(rows, panel, depth, tile);
    case 6:
      return multiply_rows<Dot, 6>(rows, panel, depth, tile);
    case 7:
      return multiply_rows<Dot, 7>(rows, panel, depth, tile);
    default:
      return multiply_rows<Dot, 8>(rows, panel, depth, tile);
  }
}

}  // namespace

}  // namespace aftune::numerics
