// SPDX-License-Identifier: Apache-2.0
// Products with packed matrices by vpmaddwd: T = sum(h q') + sum(l h'), pairs of columns at once.
// Nothing here may be seen by the linker but the table at the end.
#include "aftune/numerics/internal/packed_kernels.h"

#include <immintrin.h>

namespace aftune::numerics {
namespace {

constexpr std::size_t kWidth = 8;  // rows of a register
constexpr std::size_t kMostRows = 4;
constexpr std::size_t kAhead = 2048;  // bytes between what is multiplied and what is fetched

inline __m256i broadcast(const std::int16_t (&two)[2]) {
  std::int32_t both = 0;
  __builtin_memcpy(&both, two, sizeof both);
  return _mm256_set1_epi32(both);
}

// sum += vpmaddwd(a, b), in place: with intrinsics g++ 12 spills the sums.
inline void dot(__m256i& sum, __m256i a, __m256i b) {
  __m256i product;
  asm("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(a), "x"(b));
}

template <std::size_t kRows>
inline void multiply_rows(const RowBlock* rows, const PanelBlock& panel, std::size_t depth,
                          float* tile) {
  const __m256i bias = _mm256_set1_epi16(128);
  __m256i sum[kRows][2];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kRows; ++i) sum[i][0] = sum[i][1] = _mm256_setzero_si256();
  for (std::size_t pair = 0; pair < (depth + 1) / 2; ++pair) {
    const auto* values = reinterpret_cast<const __m256i*>(panel.values[pair]);
    _mm_prefetch(reinterpret_cast<const char*>(values) + kAhead, _MM_HINT_T0);
#pragma GCC unroll 2
    for (std::size_t n = 0; n < 2; ++n) {
      const __m256i q = _mm256_load_si256(values + n);
      const __m256i h = _mm256_srai_epi16(_mm256_add_epi16(q, bias), 8);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kRows; ++i) {
        dot(sum[i][n], q, broadcast(rows[i].pairs[pair].high));
        dot(sum[i][n], h, broadcast(rows[i].pairs[pair].low));
      }
    }
  }
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (std::size_t n = 0; n < 2; ++n) {
      float* c = tile + i * kPanelRows + n * kWidth;
      const __m256 scale =
          _mm256_mul_ps(_mm256_load_ps(panel.scale + n * kWidth), _mm256_set1_ps(rows[i].scale));
      _mm256_storeu_ps(c,
                       _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[i][n]), scale, _mm256_loadu_ps(c)));
    }
  }
}

void multiply(const RowBlock* rows, std::size_t count, const PanelBlock& panel, std::size_t depth,
              float* tile) {
  for (; count >= kMostRows; count -= kMostRows, rows += kMostRows) {
    multiply_rows<kMostRows>(rows, panel, depth, tile);
    tile += kMostRows * kPanelRows;
  }
  if (count == 3) return multiply_rows<3>(rows, panel, depth, tile);
  if (count == 2) return multiply_rows<2>(rows, panel, depth, tile);
  if (count == 1) return multiply_rows<1>(rows, panel, depth, tile);
}

}  // namespace

extern const PackedKernels kAvx2PackedKernels;
const PackedKernels kAvx2PackedKernels = {"avx2", multiply};

}  // namespace aftune::numerics
