// SPDX-License-Identifier: Apache-2.0
// Registers of 16 values, by AVX-512 (F, BW, DQ, VL): what the shared loops of
// internal/x16_impl.h and internal/x16_pairs_impl.h are written over. For files compiled with
// these instructions; nothing here may be seen by the linker.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace aftune::numerics {
namespace {

struct Lanes {
  static constexpr std::size_t kWidth = 16;
  using Ints = __m512i;  // 32 bits each
  using Floats = __m512;
  using Mask = __mmask16;

  /// The first `left` lanes.
  static Mask mask_of(std::size_t left) {
    return left >= kWidth ? Mask{0xffff} : static_cast<Mask>((1U << left) - 1U);
  }
  /// +0 outside the mask, where nothing is read.
  static Floats load(Mask mask, const float* in) { return _mm512_maskz_loadu_ps(mask, in); }
  static void store(Mask mask, float* out, Floats x) { _mm512_mask_storeu_ps(out, mask, x); }
  static void store_anywhere(float* out, Ints x) { _mm512_storeu_si512(out, x); }
  // At multiples of 64 bytes.
  static Ints load(const std::int32_t* in) { return _mm512_load_si512(in); }
  static void store(std::int32_t* out, Ints x) { _mm512_store_si512(out, x); }
  static Floats load(const float* in) { return _mm512_load_ps(in); }
  static void store(float* out, Floats x) { _mm512_store_ps(out, x); }

  static Ints spread(std::int32_t x) { return _mm512_set1_epi32(x); }
  static Floats spread(float x) { return _mm512_set1_ps(x); }
  static Ints bits(Floats x) { return _mm512_castps_si512(x); }
  static Floats floats(Ints bits) { return _mm512_castsi512_ps(bits); }

  static Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
  static Ints subtract(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
  static Ints bitwise_and(Ints a, Ints b) { return _mm512_and_si512(a, b); }
  static Ints larger(Ints a, Ints b) { return _mm512_max_epi32(a, b); }
  static Ints larger_unsigned(Ints a, Ints b) { return _mm512_max_epu32(a, b); }
  static std::uint32_t largest_unsigned(Ints x) { return _mm512_reduce_max_epu32(x); }
  template <int kBits>
  static Ints shift_left(Ints x) {
    return _mm512_slli_epi32(x, kBits);
  }
  template <int kBits>
  static Ints shift_right(Ints x) {  // zeros come in
    return _mm512_srli_epi32(x, kBits);
  }
  template <int kBits>
  static Ints shift_right_signed(Ints x) {
    return _mm512_srai_epi32(x, kBits);
  }
  /// The low half of the first, and of the second in the high half.
  static Ints pair(Ints first, Ints second) {
    return _mm512_mask_mov_epi16(first, 0xaaaaaaaa, _mm512_slli_epi32(second, 16));
  }

  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats fused(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats converted(Ints x) { return _mm512_cvtepi32_ps(x); }
  /// To the nearest, ties to even.
  static Ints rounded(Floats x) {
    return _mm512_cvt_roundps_epi32(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }

  /// sum += vpmaddwd(a, b). With intrinsics g++ 12 gathers the products of all rows before it
  /// adds, and spills the sums; an operand that is read and written in place keeps them in
  /// registers.
  static void add_pair_products(Ints& sum, Ints a, Ints b) {
    Ints product;
    asm("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0" : "+v"(sum), "=&v"(product) : "v"(a), "v"(b));
  }

  /// Transposes 16 x 16 values in place.
  static void transpose_square(Ints (&x)[kWidth]) {
    Ints t[16];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < 16; i += 2) {
      t[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
      t[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    // After this, u[4 g + c] holds in lane n the values of rows 4 g .. 4 g + 3 at column 4 n + c.
    Ints u[16];
#pragma GCC unroll 4
    for (std::size_t g = 0; g < 16; g += 4) {
      u[g] = _mm512_unpacklo_epi64(t[g], t[g + 2]);
      u[g + 1] = _mm512_unpackhi_epi64(t[g], t[g + 2]);
      u[g + 2] = _mm512_unpacklo_epi64(t[g + 1], t[g + 3]);
      u[g + 3] = _mm512_unpackhi_epi64(t[g + 1], t[g + 3]);
    }
#pragma GCC unroll 4
    for (std::size_t c = 0; c < 4; ++c) {
      const Ints low01 = _mm512_shuffle_i32x4(u[c], u[4 + c], 0x88);   // lanes 0, 2
      const Ints high01 = _mm512_shuffle_i32x4(u[c], u[4 + c], 0xdd);  // lanes 1, 3
      const Ints low23 = _mm512_shuffle_i32x4(u[8 + c], u[12 + c], 0x88);
      const Ints high23 = _mm512_shuffle_i32x4(u[8 + c], u[12 + c], 0xdd);
      x[c] = _mm512_shuffle_i32x4(low01, low23, 0x88);
      x[8 + c] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
      x[4 + c] = _mm512_shuffle_i32x4(high01, high23, 0x88);
      x[12 + c] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
    }
  }
};

}  // namespace
}  // namespace aftune::numerics
