// SPDX-License-Identifier: Apache-2.0
// The two bytes of quantised values, 64 at a time: for the instruction sets that multiply bytes
// (VNNI, AMX). Nothing here may be seen by the linker.
#pragma once

#include <immintrin.h>

#include <cstddef>

#include "aftune/numerics/avx512/lanes.h"

namespace aftune::numerics {
namespace {

constexpr std::size_t kSliceWidth = 64;  // columns whose bytes fill a register
constexpr std::size_t kDwordColumns = 4;

/// h and l of 64 columns, or of 4 columns of 16 rows.
struct Slices {
  __m512i high, low;
};

/// Where the dword of columns 4 c .. 4 c + 3 stands in the registers that quantise() makes.
constexpr std::size_t place_of_dword(std::size_t c) { return 4 * (c % 4) + c / 4; }

/// The bytes of 64 columns, of which `left` exist; the others give zeros. Dword 4 n + s holds
/// columns 4 (4 s + n) and the three after.
inline Slices quantise(const float* in, std::size_t left, float inverse) {
  const __m512 factor = _mm512_set1_ps(inverse);
  __m512i q[4];
  for (std::size_t s = 0; s < 4; ++s) {
    const std::size_t used = Lanes::kWidth * s;
    const __m512 x = Lanes::load(Lanes::mask_of(left > used ? left - used : 0), in + used);
    q[s] = Lanes::rounded(_mm512_mul_ps(x, factor));
  }
  const __m512i bias = _mm512_set1_epi16(128);
  const __m512i q01 = _mm512_packs_epi32(q[0], q[1]);
  const __m512i q23 = _mm512_packs_epi32(q[2], q[3]);
  const __m512i h01 = _mm512_srai_epi16(_mm512_add_epi16(q01, bias), 8);
  const __m512i h23 = _mm512_srai_epi16(_mm512_add_epi16(q23, bias), 8);
  const __m512i l01 = _mm512_sub_epi16(q01, _mm512_slli_epi16(h01, 8));
  const __m512i l23 = _mm512_sub_epi16(q23, _mm512_slli_epi16(h23, 8));
  return {_mm512_packs_epi16(h01, h23), _mm512_packs_epi16(l01, l23)};
}

/// The bytes of 64 columns, of which `left` exist, of 16 rows, of which `rows` exist, transposed:
/// register d holds dword d of quantise() of every row.
inline void quantise_square(const float* in, std::size_t stride, std::size_t rows, std::size_t left,
                            const float* inverse, __m512i (&high)[16], __m512i (&low)[16]) {
  for (std::size_t r = 0; r < 16; ++r) {
    const bool there = r < rows;
    const Slices slices = quantise(in + (there ? r * stride : 0), there ? left : 0, inverse[r]);
    high[r] = slices.high;
    low[r] = slices.low;
  }
  Lanes::transpose_square(high);
  Lanes::transpose_square(low);
}

// The low halves of two registers' dwords, side by side.
inline __m512i halves(__m512i low, __m512i high) {
  return _mm512_mask_mov_epi16(low, 0xaaaaaaaa, _mm512_slli_epi32(high, 16));
}

/// Four columns, of which `left` exist, of 16 rows that stand as columns: a dword a row.
inline Slices quantise_columns(const float* in, std::size_t stride, __mmask16 mask,
                               std::size_t left, __m512 inverse) {
  __m512i q[kDwordColumns];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kDwordColumns; ++i) {
    const __m512 x = Lanes::load(i < left ? mask : __mmask16{0}, in + (i < left ? i * stride : 0));
    q[i] = Lanes::rounded(_mm512_mul_ps(x, inverse));
  }
  const __m512i even = halves(q[0], q[2]);
  const __m512i odd = halves(q[1], q[3]);
  // l is the low byte of q, h the upper byte of q + 128.
  const __m512i bias = _mm512_set1_epi16(128);
  const __m512i upper = _mm512_set1_epi16(static_cast<short>(0xff00));
  const __m512i high = _mm512_or_si512(_mm512_srli_epi16(_mm512_add_epi16(even, bias), 8),
                                       _mm512_and_si512(_mm512_add_epi16(odd, bias), upper));
  const __m512i low = _mm512_or_si512(_mm512_andnot_si512(upper, even), _mm512_slli_epi16(odd, 8));
  return {high, low};
}

}  // namespace
}  // namespace aftune::numerics
