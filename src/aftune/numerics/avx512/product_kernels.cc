// SPDX-License-Identifier: Apache-2.0
// x16 by VNNI: 6 x 32 tiles, two int32 accumulators an output. A's bytes are signed broadcasts,
// B's are unsigned with an offset of 128, whose effect (-128 times A's sums over the block) is
// where the accumulators start. Nothing here may be seen by the linker but the table at the end.
#include "aftune/numerics/internal/product_kernels.h"

#include <immintrin.h>

namespace aftune::numerics {
namespace {

constexpr std::size_t kRowsA = 6;
constexpr std::size_t kRowsB = 32;
constexpr std::size_t kWidth = 16;           // floats of a register
constexpr std::size_t kStep = 4;             // columns of one VNNI instruction
constexpr std::size_t kStepBytesB = 4 * 64;  // h of 32 rows, then l
constexpr int kRound = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

struct alignas(64) PanelA {
  std::int8_t bytes[kRowsA][2][kBlock];  // h, then l
  std::int32_t start_high[8];            // -128 sum(h)
  std::int32_t start_mixed[8];           // -128 sum(h + l)
  float scale[8];                        // 2^(e + 4)
};

struct alignas(64) PanelB {
  std::uint8_t bytes[kBlock / kStep][4][64];
  float scale[kRowsB];  // 2^(e + 4)
};
static_assert(sizeof(PanelB::bytes) == kBlock / kStep * kStepBytesB);

inline __mmask16 mask_of(std::size_t left) {
  return left >= kWidth ? __mmask16{0xffff} : static_cast<__mmask16>((1U << left) - 1U);
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

inline bool choose_scales(const float* row, std::size_t depth, Exponents exponents,
                          Scales* scales) {
  if (exponents == Exponents::kZero) {
    *scales = scales_of(0);
    return true;
  }
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512i largest = _mm512_setzero_si512();
  for (std::size_t k = 0; k < depth; k += kWidth) {
    const __m512i bits = _mm512_maskz_loadu_epi32(mask_of(depth - k), row + k);
    largest = _mm512_max_epu32(largest, _mm512_and_si512(bits, magnitude));
  }
  const std::uint32_t size = _mm512_reduce_max_epu32(largest);
  if (size >= kSizeBound) return false;
  const int needed = static_cast<int>((size + 0x10100) >> 23) - 141;
  *scales = scales_of(needed < -66 ? -66 : needed);
  return true;
}

// The bytes of 64 columns. Register dword 4 n + s holds columns 4 (4 s + n) and the three after.
struct Slices {
  __m512i high, low;
};

inline Slices quantise(const float* in, std::size_t left, float inverse) {
  const __m512 factor = _mm512_set1_ps(inverse);
  __m512i q[4];
  for (std::size_t s = 0; s < 4; ++s) {
    const __m512 x = _mm512_maskz_loadu_ps(mask_of(past(left, kWidth * s)), in + kWidth * s);
    q[s] = _mm512_cvt_roundps_epi32(_mm512_mul_ps(x, factor), kRound);
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

bool pack_a(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
            Exponents exponents, std::byte* out) {
  auto& panel = *reinterpret_cast<PanelA*>(out);
  const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  const __m512i ones = _mm512_set1_epi8(1);
  for (std::size_t r = 0; r < kRowsA; ++r) {
    Scales scales = scales_of(0);
    const std::size_t columns = r < rows ? depth : 0;
    const float* row = in + (r < rows ? r * stride : 0);
    if (r < rows && !choose_scales(row, depth, exponents, &scales)) return false;
    __m512i sum_high = _mm512_setzero_si512();
    __m512i sum_low = _mm512_setzero_si512();
    for (std::size_t k = 0; k < depth; k += 64) {
      const Slices slices = quantise(row + k, past(columns, k), scales.inverse);
      sum_high = _mm512_dpbusd_epi32(sum_high, ones, slices.high);
      sum_low = _mm512_dpbusd_epi32(sum_low, ones, slices.low);
      _mm512_store_si512(panel.bytes[r][0] + k, _mm512_permutexvar_epi32(order, slices.high));
      _mm512_store_si512(panel.bytes[r][1] + k, _mm512_permutexvar_epi32(order, slices.low));
    }
    const int high = _mm512_reduce_add_epi32(sum_high);
    panel.start_high[r] = -128 * high;
    panel.start_mixed[r] = -128 * (high + _mm512_reduce_add_epi32(sum_low));
    panel.scale[r] = scales.half;
  }
  return true;
}

// Transposes 16 x 16 dwords in place.
inline void transpose_16x16(__m512i (&x)[16]) {
  __m512i t[16];
#pragma GCC unroll 16
  for (std::size_t i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
  // After this, u[4 g + c] holds in lane n the values of rows 4 g .. 4 g + 3 at column 4 n + c.
  __m512i u[16];
#pragma GCC unroll 4
  for (std::size_t g = 0; g < 16; g += 4) {
    u[g] = _mm512_unpacklo_epi64(t[g], t[g + 2]);
    u[g + 1] = _mm512_unpackhi_epi64(t[g], t[g + 2]);
    u[g + 2] = _mm512_unpacklo_epi64(t[g + 1], t[g + 3]);
    u[g + 3] = _mm512_unpackhi_epi64(t[g + 1], t[g + 3]);
  }
#pragma GCC unroll 4
  for (std::size_t c = 0; c < 4; ++c) {
    const __m512i low01 = _mm512_shuffle_i32x4(u[c], u[4 + c], 0x88);   // lanes 0, 2
    const __m512i high01 = _mm512_shuffle_i32x4(u[c], u[4 + c], 0xdd);  // lanes 1, 3
    const __m512i low23 = _mm512_shuffle_i32x4(u[8 + c], u[12 + c], 0x88);
    const __m512i high23 = _mm512_shuffle_i32x4(u[8 + c], u[12 + c], 0xdd);
    x[c] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    x[8 + c] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
    x[4 + c] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    x[12 + c] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
  }
}

// Columns k .. k + 63 of 16 rows, of which `rows` exist, to half a panel's width.
inline void pack_b_square(const float* in, std::size_t stride, std::size_t rows, std::size_t left,
                          const float* inverse, std::uint8_t* out) {
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i high[16];
  __m512i low[16];
  for (std::size_t r = 0; r < 16; ++r) {
    const bool there = r < rows;
    const Slices slices = quantise(in + (there ? r * stride : 0), there ? left : 0, inverse[r]);
    high[r] = _mm512_xor_si512(slices.high, offset);
    low[r] = _mm512_xor_si512(slices.low, offset);
  }
  transpose_16x16(high);
  transpose_16x16(low);
  for (std::size_t d = 0; d < 16; ++d) {
    std::uint8_t* step = out + (4 * (d % 4) + d / 4) * kStepBytesB;
    _mm512_store_si512(step, high[d]);
    _mm512_store_si512(step + 128, low[d]);
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
  for (std::size_t half = 0; half < 2; ++half) {
    const std::size_t there = past(rows, 16 * half);
    const float* first = in + (there > 0 ? 16 * half * stride : 0);
    for (std::size_t k = 0; k < depth; k += 64) {
      pack_b_square(first + k, stride, there, depth - k, inverse + 16 * half,
                    panel.bytes[k / kStep][half]);
    }
  }
  return true;
}

// 2^-e and 2^(e + 4) of 16 rows.
struct RowScales {
  __m512 inverse, half;
};

// The scales of 16 rows that stand as columns. False if one has no exponent.
inline bool choose_row_scales(const float* in, std::size_t stride, __mmask16 mask,
                              std::size_t depth, Exponents exponents, RowScales* scales) {
  __m512i exponent = _mm512_setzero_si512();
  if (exponents == Exponents::kChosen) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i largest = _mm512_setzero_si512();
    for (std::size_t k = 0; k < depth; ++k) {
      const __m512i bits = _mm512_maskz_loadu_epi32(mask, in + k * stride);
      largest = _mm512_max_epu32(largest, _mm512_and_si512(bits, magnitude));
    }
    if (_mm512_cmpge_epu32_mask(largest, _mm512_set1_epi32(kSizeBound)) != 0) return false;
    const __m512i rounded = _mm512_add_epi32(largest, _mm512_set1_epi32(0x10100));
    exponent =
        _mm512_max_epi32(_mm512_sub_epi32(_mm512_srli_epi32(rounded, 23), _mm512_set1_epi32(141)),
                         _mm512_set1_epi32(-66));
  }
  scales->inverse = _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_sub_epi32(_mm512_set1_epi32(127), exponent), 23));
  scales->half = _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_add_epi32(exponent, _mm512_set1_epi32(127 + 4)), 23));
  return true;
}

// The low halves of two registers' dwords, side by side.
inline __m512i halves(__m512i low, __m512i high) {
  return _mm512_mask_mov_epi16(low, 0xaaaaaaaa, _mm512_slli_epi32(high, 16));
}

// Columns k .. k + 3, of which `left` exist, of 16 rows that stand as columns: a dword a row.
inline Slices quantise_columns(const float* in, std::size_t stride, __mmask16 mask,
                               std::size_t left, __m512 inverse) {
  __m512i q[kStep];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kStep; ++i) {
    const __m512 x =
        _mm512_maskz_loadu_ps(i < left ? mask : __mmask16{0}, in + (i < left ? i * stride : 0));
    q[i] = _mm512_cvt_roundps_epi32(_mm512_mul_ps(x, inverse), kRound);
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

bool pack_b_columns(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
                    Exponents exponents, std::byte* out) {
  auto& panel = *reinterpret_cast<PanelB*>(out);
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(0x80));
  for (std::size_t half = 0; half < 2; ++half) {
    const __mmask16 mask = mask_of(past(rows, kWidth * half));
    const float* columns = in + (mask != 0 ? kWidth * half : 0);
    RowScales scales;
    if (!choose_row_scales(columns, stride, mask, depth, exponents, &scales)) return false;
    _mm512_store_ps(panel.scale + kWidth * half, scales.half);
    for (std::size_t k = 0; k < depth; k += kStep) {
      const Slices slices =
          quantise_columns(columns + k * stride, stride, mask, depth - k, scales.inverse);
      std::uint8_t(&step)[4][64] = panel.bytes[k / kStep];
      _mm512_store_si512(step[half], _mm512_xor_si512(slices.high, offset));
      _mm512_store_si512(step[2 + half], _mm512_xor_si512(slices.low, offset));
    }
  }
  return true;
}

void transpose(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
               float* out) {
  for (std::size_t k = 0; k < depth; k += 16) {
    for (std::size_t r = 0; r < rows; r += 16) {
      const __mmask16 mask = mask_of(rows - r);
      __m512i x[16];
      for (std::size_t i = 0; i < 16; ++i) {
        const std::size_t line = k + i < depth ? k + i : k;
        x[i] = _mm512_maskz_loadu_epi32(mask, in + line * stride + r);
      }
      transpose_16x16(x);
      const std::size_t count = rows - r < 16 ? rows - r : 16;
      for (std::size_t i = 0; i < count; ++i) _mm512_storeu_si512(out + (r + i) * kBlock + k, x[i]);
    }
  }
}

// vpdpbusd. The intrinsic's separate result makes g++ 12 copy and spill the accumulators of the
// loop below; an operand that is read and written in place does not.
inline void dot(__m512i& sum, __m512i unsigned_bytes, __m512i signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(unsigned_bytes), "v"(signed_bytes));
}

void tile(const std::byte* a, const std::byte* b, std::size_t depth, float* out) {
  const auto& panel_a = *reinterpret_cast<const PanelA*>(a);
  const auto& panel_b = *reinterpret_cast<const PanelB*>(b);
  __m512i high[kRowsA][2];
  __m512i mixed[kRowsA][2];
#pragma GCC unroll 6
  for (std::size_t i = 0; i < kRowsA; ++i) {
    high[i][0] = high[i][1] = _mm512_set1_epi32(panel_a.start_high[i]);
    mixed[i][0] = mixed[i][1] = _mm512_set1_epi32(panel_a.start_mixed[i]);
  }
  const std::int8_t* pa = panel_a.bytes[0][0];
  const std::uint8_t* pb = panel_b.bytes[0][0];
  const std::int8_t* const end = pa + depth;
  for (; pa < end; pa += kStep, pb += kStepBytesB) {
    const __m512i h0 = _mm512_load_si512(pb);
    const __m512i h1 = _mm512_load_si512(pb + 64);
    const __m512i l0 = _mm512_load_si512(pb + 128);
    const __m512i l1 = _mm512_load_si512(pb + 192);
#pragma GCC unroll 6
    for (std::size_t i = 0; i < kRowsA; ++i) {
      const std::int8_t* row = pa + 2 * kBlock * i;
      const __m512i h = _mm512_set1_epi32(*reinterpret_cast<const std::int32_t*>(row));
      const __m512i l = _mm512_set1_epi32(*reinterpret_cast<const std::int32_t*>(row + kBlock));
      dot(high[i][0], h0, h);
      dot(high[i][1], h1, h);
      dot(mixed[i][0], l0, h);
      dot(mixed[i][1], l1, h);
      dot(mixed[i][0], h0, l);
      dot(mixed[i][1], h1, l);
    }
  }
#pragma GCC unroll 6
  for (std::size_t i = 0; i < kRowsA; ++i) {
#pragma GCC unroll 2
    for (std::size_t n = 0; n < 2; ++n) {
      float* c = out + i * kRowsB + n * kWidth;
      const __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(high[i][n], 8), mixed[i][n]);
      const __m512 scale = _mm512_mul_ps(_mm512_load_ps(panel_b.scale + n * kWidth),
                                         _mm512_set1_ps(panel_a.scale[i]));
      _mm512_store_ps(c, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, _mm512_load_ps(c)));
    }
  }
}

bool store(const float* values, std::size_t rows, std::size_t columns, bool add, float* out,
           std::size_t stride) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  const __m512i infinity = _mm512_set1_epi32(0x7f800000);
  unsigned bad = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; j += kWidth) {
      const __mmask16 mask = mask_of(columns - j);
      float* c = out + i * stride + j;
      __m512 x = _mm512_maskz_loadu_ps(mask, values + i * kRowsB + j);
      if (add) x = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c), x);
      _mm512_mask_storeu_ps(c, mask, x);
      const __m512i size = _mm512_and_si512(_mm512_castps_si512(x), magnitude);
      bad |= _mm512_mask_cmpge_epi32_mask(mask, size, infinity);
    }
  }
  return bad == 0;
}

}  // namespace

extern const ProductKernels kAvx512ProductKernels;
const ProductKernels kAvx512ProductKernels = {"avx512",       kRowsA,    kRowsB, sizeof(PanelA),
                                              sizeof(PanelB), transpose, pack_a, pack_b,
                                              pack_b_columns, tile,      store};

}  // namespace aftune::numerics
