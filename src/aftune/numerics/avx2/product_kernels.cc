// SPDX-License-Identifier: Apache-2.0
// x16 by vpmaddwd: 6 x 16 tiles, one int32 accumulator an output, T = sum(h q' + l h') from pairs
// (h, l) of A and (q', h') of B. Nothing here may be seen by the linker but the table at the end.
#include "aftune/numerics/internal/product_kernels.h"

#include <immintrin.h>

namespace aftune::numerics {
namespace {

constexpr std::size_t kRowsA = 6;
constexpr std::size_t kRowsB = 16;
constexpr std::size_t kWidth = 8;  // floats of a register

struct alignas(64) PanelA {
  std::int32_t pairs[kRowsA][kBlock];  // h in the low half, l in the high
  float scale[16];                     // 2^(e + 4)
};

struct alignas(64) PanelB {
  std::int32_t pairs[kBlock][kRowsB];  // q in the low half, h in the high
  float scale[kRowsB];                 // 2^(e + 4)
};

inline __m256i mask_of(std::size_t left) {
  const __m256i index = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
  const int count = left < kWidth ? static_cast<int>(left) : static_cast<int>(kWidth);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), index);
}

inline std::size_t past(std::size_t total, std::size_t used) {
  return total > used ? total - used : 0;
}

inline float float_of(std::uint32_t bits) {
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(bits))));
}

struct Scales {
  float inverse;  // 2^-e
  float half;     // 2^(e + 4): two of them multiply to 2^(e + e' + 8)
};

inline Scales scales_of(int exponent) {
  return {float_of(static_cast<std::uint32_t>(127 - exponent) << 23),
          float_of(static_cast<std::uint32_t>(127 + exponent + 4) << 23)};
}

inline std::uint32_t largest_of(__m256i x) {
  __m128i y = _mm_max_epu32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  y = _mm_max_epu32(y, _mm_shuffle_epi32(y, 0x4e));
  y = _mm_max_epu32(y, _mm_shuffle_epi32(y, 0xb1));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(y));
}

inline bool choose_scales(const float* row, std::size_t depth, Exponents exponents,
                          Scales* scales) {
  if (exponents == Exponents::kZero) {
    *scales = scales_of(0);
    return true;
  }
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  __m256i largest = _mm256_setzero_si256();
  for (std::size_t k = 0; k < depth; k += kWidth) {
    const __m256i bits = _mm256_castps_si256(_mm256_maskload_ps(row + k, mask_of(depth - k)));
    largest = _mm256_max_epu32(largest, _mm256_and_si256(bits, magnitude));
  }
  const std::uint32_t size = largest_of(largest);
  if (size >= kSizeBound) return false;
  const int needed = static_cast<int>((size + 0x10100) >> 23) - 141;
  *scales = scales_of(needed < -66 ? -66 : needed);
  return true;
}

inline __m256i quantise(const float* in, std::size_t left, float inverse) {
  const __m256 x = _mm256_maskload_ps(in, mask_of(left));
  return _mm256_cvtps_epi32(_mm256_mul_ps(x, _mm256_set1_ps(inverse)));
}

inline __m256i high_of(__m256i q) {
  return _mm256_srai_epi32(_mm256_add_epi32(q, _mm256_set1_epi32(128)), 8);
}

// The low half of the first, and of the second in the high half.
inline __m256i pair(__m256i first, __m256i second) {
  return _mm256_blend_epi16(first, _mm256_slli_epi32(second, 16), 0xaa);
}

bool pack_a(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
            Exponents exponents, std::byte* out) {
  auto& panel = *reinterpret_cast<PanelA*>(out);
  for (std::size_t r = 0; r < kRowsA; ++r) {
    Scales scales = scales_of(0);
    const std::size_t columns = r < rows ? depth : 0;
    const float* row = in + (r < rows ? r * stride : 0);
    if (r < rows && !choose_scales(row, depth, exponents, &scales)) return false;
    for (std::size_t k = 0; k < depth; k += kWidth) {
      const __m256i q = quantise(row + k, past(columns, k), scales.inverse);
      const __m256i h = high_of(q);
      const __m256i l = _mm256_sub_epi32(q, _mm256_slli_epi32(h, 8));
      _mm256_store_si256(reinterpret_cast<__m256i*>(panel.pairs[r] + k), pair(h, l));
    }
    panel.scale[r] = scales.half;
  }
  return true;
}

// Transposes 8 x 8 dwords in place.
inline void transpose_8x8(__m256i (&x)[8]) {
  __m256i t[8];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_epi32(x[i], x[i + 1]);
    t[i + 1] = _mm256_unpackhi_epi32(x[i], x[i + 1]);
  }
  // u[4 g + c] holds in lane n the values of rows 4 g .. 4 g + 3 at column 4 n + c.
  __m256i u[8];
#pragma GCC unroll 2
  for (std::size_t g = 0; g < 8; g += 4) {
    u[g] = _mm256_unpacklo_epi64(t[g], t[g + 2]);
    u[g + 1] = _mm256_unpackhi_epi64(t[g], t[g + 2]);
    u[g + 2] = _mm256_unpacklo_epi64(t[g + 1], t[g + 3]);
    u[g + 3] = _mm256_unpackhi_epi64(t[g + 1], t[g + 3]);
  }
#pragma GCC unroll 4
  for (std::size_t c = 0; c < 4; ++c) {
    x[c] = _mm256_permute2x128_si256(u[c], u[4 + c], 0x20);
    x[4 + c] = _mm256_permute2x128_si256(u[c], u[4 + c], 0x31);
  }
}

bool pack_b(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
            Exponents exponents, std::byte* out) {
  auto& panel = *reinterpret_cast<PanelB*>(out);
  float inverse[kRowsB];
  for (std::size_t r = 0; r < kRowsB; ++r) {
    Scales scales = scales_of(0);
    if (r < rows && !choose_scales(in + r * stride, depth, exponents, &scales)) return false;
    inverse[r] = scales.inverse;
    panel.scale[r] = scales.half;
  }
  for (std::size_t first = 0; first < kRowsB; first += 8) {
    for (std::size_t k = 0; k < depth; k += kWidth) {
      __m256i x[8];
      for (std::size_t i = 0; i < 8; ++i) {
        const std::size_t r = first + i;
        const std::size_t left = r < rows ? depth - k : 0;
        const __m256i q = quantise(in + (r < rows ? r * stride : 0) + k, left, inverse[r]);
        x[i] = pair(q, high_of(q));
      }
      transpose_8x8(x);
      for (std::size_t i = 0; i < 8; ++i) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(panel.pairs[k + i] + first), x[i]);
      }
    }
  }
  return true;
}

// 2^-e and 2^(e + 4) of 8 rows.
inline __m256 inverses_of(__m256i exponents) {
  return _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_sub_epi32(_mm256_set1_epi32(127), exponents), 23));
}

inline __m256 halves_of(__m256i exponents) {
  return _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_add_epi32(exponents, _mm256_set1_epi32(127 + 4)), 23));
}

// The exponents of 8 rows that stand as columns. False if one has none.
inline bool choose_exponents(const float* in, std::size_t stride, __m256i mask, std::size_t depth,
                             __m256i* exponents) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  __m256i largest = _mm256_setzero_si256();
  for (std::size_t k = 0; k < depth; ++k) {
    const __m256i bits = _mm256_castps_si256(_mm256_maskload_ps(in + k * stride, mask));
    largest = _mm256_max_epu32(largest, _mm256_and_si256(bits, magnitude));
  }
  if (largest_of(largest) >= kSizeBound) return false;
  const __m256i rounded = _mm256_add_epi32(largest, _mm256_set1_epi32(0x10100));
  *exponents =
      _mm256_max_epi32(_mm256_sub_epi32(_mm256_srli_epi32(rounded, 23), _mm256_set1_epi32(141)),
                       _mm256_set1_epi32(-66));
  return true;
}

bool pack_b_columns(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
                    Exponents exponents, std::byte* out) {
  auto& panel = *reinterpret_cast<PanelB*>(out);
  for (std::size_t first = 0; first < kRowsB; first += kWidth) {
    const __m256i mask = mask_of(past(rows, first));
    const float* columns = in + (first < rows ? first : 0);
    __m256i chosen = _mm256_setzero_si256();
    if (exponents == Exponents::kChosen &&
        !choose_exponents(columns, stride, mask, depth, &chosen)) {
      return false;
    }
    const __m256 inverse = inverses_of(chosen);
    for (std::size_t k = 0; k < depth; ++k) {
      const __m256 x = _mm256_maskload_ps(columns + k * stride, mask);
      const __m256i q = _mm256_cvtps_epi32(_mm256_mul_ps(x, inverse));
      _mm256_store_si256(reinterpret_cast<__m256i*>(panel.pairs[k] + first), pair(q, high_of(q)));
    }
    _mm256_store_ps(panel.scale + first, halves_of(chosen));
  }
  return true;
}

void transpose(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
               float* out) {
  for (std::size_t k = 0; k < depth; k += 8) {
    for (std::size_t r = 0; r < rows; r += 8) {
      const __m256i mask = mask_of(rows - r);
      __m256i x[8];
      for (std::size_t i = 0; i < 8; ++i) {
        const std::size_t line = k + i < depth ? k + i : k;
        x[i] = _mm256_castps_si256(_mm256_maskload_ps(in + line * stride + r, mask));
      }
      transpose_8x8(x);
      const std::size_t count = rows - r < 8 ? rows - r : 8;
      for (std::size_t i = 0; i < count; ++i) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + (r + i) * kBlock + k), x[i]);
      }
    }
  }
}

// sum += vpmaddwd(a, b). With intrinsics g++ 12 gathers the products of all rows before it adds,
// and spills the sums; an operand that is read and written in place keeps them in registers.
inline void dot(__m256i& sum, __m256i a, __m256i b) {
  __m256i product;
  asm("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(a), "x"(b));
}

void tile(const std::byte* a, const std::byte* b, std::size_t depth, float* out) {
  const auto& panel_a = *reinterpret_cast<const PanelA*>(a);
  const auto& panel_b = *reinterpret_cast<const PanelB*>(b);
  __m256i sum[kRowsA][2];
#pragma GCC unroll 6
  for (std::size_t i = 0; i < kRowsA; ++i) sum[i][0] = sum[i][1] = _mm256_setzero_si256();
  for (std::size_t k = 0; k < depth; ++k) {
    const auto* step = reinterpret_cast<const __m256i*>(panel_b.pairs[k]);
    const __m256i b0 = _mm256_load_si256(step);
    const __m256i b1 = _mm256_load_si256(step + 1);
#pragma GCC unroll 6
    for (std::size_t i = 0; i < kRowsA; ++i) {
      const __m256i x = _mm256_set1_epi32(panel_a.pairs[i][k]);
      dot(sum[i][0], x, b0);
      dot(sum[i][1], x, b1);
    }
  }
#pragma GCC unroll 6
  for (std::size_t i = 0; i < kRowsA; ++i) {
#pragma GCC unroll 2
    for (std::size_t n = 0; n < 2; ++n) {
      float* c = out + i * kRowsB + n * kWidth;
      const __m256 scale = _mm256_mul_ps(_mm256_load_ps(panel_b.scale + n * kWidth),
                                         _mm256_set1_ps(panel_a.scale[i]));
      _mm256_store_ps(c, _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[i][n]), scale, _mm256_load_ps(c)));
    }
  }
}

bool store(const float* values, std::size_t rows, std::size_t columns, bool add, float* out,
           std::size_t stride) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  __m256i largest = _mm256_setzero_si256();
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; j += kWidth) {
      const __m256i mask = mask_of(columns - j);
      float* c = out + i * stride + j;
      __m256 x = _mm256_maskload_ps(values + i * kRowsB + j, mask);
      if (add) x = _mm256_add_ps(_mm256_maskload_ps(c, mask), x);
      _mm256_maskstore_ps(c, mask, x);
      largest = _mm256_max_epu32(largest, _mm256_and_si256(_mm256_castps_si256(x), magnitude));
    }
  }
  return largest_of(largest) < 0x7f800000;
}

}  // namespace

extern const ProductKernels kAvx2ProductKernels;
const ProductKernels kAvx2ProductKernels = {"avx2",         kRowsA,    kRowsB, sizeof(PanelA),
                                            sizeof(PanelB), transpose, pack_a, pack_b,
                                            pack_b_columns, tile,      store};

}  // namespace aftune::numerics
