// SPDX-License-Identifier: Apache-2.0
// x16 by VNNI: 6 x 32 tiles, two int32 accumulators an output. A's bytes are signed broadcasts,
// B's are unsigned with an offset of 128, whose effect (-128 times A's sums over the block) is
// where the accumulators start. Nothing here may be seen by the linker but the table at the end.
#include "aftune/numerics/internal/product_kernels.h"

#include "aftune/numerics/avx512/lanes.h"
#include "aftune/numerics/avx512/slices.h"
#include "aftune/numerics/internal/x16_impl.h"

namespace aftune::numerics {
namespace {

constexpr std::size_t kRowsA = 6;
constexpr std::size_t kRowsB = 32;
constexpr std::size_t kWidth = Lanes::kWidth;
constexpr std::size_t kStep = kDwordColumns;  // columns of one VNNI instruction
constexpr std::size_t kStepBytesB = 4 * 64;   // h of 32 rows, then l

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

bool pack_a(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
            Exponents exponents, std::byte* out) {
  auto& panel = *reinterpret_cast<PanelA*>(out);
  const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  const __m512i ones = _mm512_set1_epi8(1);
  for (std::size_t r = 0; r < kRowsA; ++r) {
    Scales scales = scales_of(0);
    const std::size_t columns = r < rows ? depth : 0;
    const float* row = in + (r < rows ? r * stride : 0);
    if (r < rows && !choose_scales<Lanes>(row, depth, exponents, &scales)) return false;
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

// Columns k .. k + 63 of 16 rows, of which `rows` exist, to half a panel's width.
inline void pack_b_square(const float* in, std::size_t stride, std::size_t rows, std::size_t left,
                          const float* inverse, std::uint8_t* out) {
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i high[16];
  __m512i low[16];
  quantise_square(in, stride, rows, left, inverse, high, low);
  for (std::size_t d = 0; d < 16; ++d) {
    std::uint8_t* step = out + place_of_dword(d) * kStepBytesB;
    _mm512_store_si512(step, _mm512_xor_si512(high[d], offset));
    _mm512_store_si512(step + 128, _mm512_xor_si512(low[d], offset));
  }
}

bool pack_b(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
            Exponents exponents, std::byte* out) {
  auto& panel = *reinterpret_cast<PanelB*>(out);
  float inverse[kRowsB];
  for (std::size_t r = 0; r < kRowsB; ++r) {
    Scales scales = scales_of(0);
    if (r < rows && !choose_scales<Lanes>(in + r * stride, depth, exponents, &scales)) {
      return false;
    }
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

bool pack_b_columns(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
                    Exponents exponents, std::byte* out) {
  auto& panel = *reinterpret_cast<PanelB*>(out);
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(0x80));
  for (std::size_t half = 0; half < 2; ++half) {
    const __mmask16 mask = Lanes::mask_of(past(rows, kWidth * half));
    const float* columns = in + (mask != 0 ? kWidth * half : 0);
    RowScales<Lanes> scales;
    if (!choose_row_scales<Lanes>(columns, stride, mask, depth, exponents, &scales)) return false;
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
      const __m512i sum = Lanes::add(Lanes::shift_left<8>(high[i][n]), mixed[i][n]);
      add_scaled<Lanes>(sum, panel_a.scale[i], Lanes::load(panel_b.scale + n * kWidth),
                        out + i * kRowsB + n * kWidth);
    }
  }
}

}  // namespace

extern const ProductKernels kAvx512ProductKernels;
const ProductKernels kAvx512ProductKernels = {
    "avx512", kRowsA, kRowsB,         sizeof(PanelA), sizeof(PanelB),      transpose<Lanes>,
    pack_a,   pack_b, pack_b_columns, tile,           store<Lanes, kRowsB>};

}  // namespace aftune::numerics
