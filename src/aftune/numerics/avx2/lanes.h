// SPDX-License-Identifier: Apache-2.0
// Registers of 8 values, by AVX2: what the shared loops of internal/x16_impl.h and
// internal/x16_pairs_impl.h are written over. For files compiled with these instructions; nothing
// here may be seen by the linker.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace aftune::numerics {
namespace {

struct Lanes {
  static constexpr std::size_t kWidth = 8;
  using Ints = __m256i;  // 32 bits each
  using Floats = __m256;
  using Mask = __m256i;

  /// The first `left` lanes.
  static Mask mask_of(std::size_t left) {
    const __m256i index = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    const int count = left < kWidth ? static_cast<int>(left) : static_cast<int>(kWidth);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), index);
  }
  /// +0 outside the mask, where nothing is read.
  static Floats load(Mask mask, const float* in) { return _mm256_maskload_ps(in, mask); }
  static void store(Mask mask, float* out, Floats x) { _mm256_maskstore_ps(out, mask, x); }
  static void store_anywhere(float* out, Ints x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), x);
  }
  // At multiples of 32 bytes.
  static Ints load(const std::int32_t* in) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(in));
  }
  static void store(std::int32_t* out, Ints x) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(out), x);
  }
  static Floats load(const float* in) { return _mm256_load_ps(in); }
  static void store(float* out, Floats x) { _mm256_store_ps(out, x); }

  static Ints spread(std::int32_t x) { return _mm256_set1_epi32(x); }
  static Floats spread(float x) { return _mm256_set1_ps(x); }
  static Ints bits(Floats x) { return _mm256_castps_si256(x); }
  static Floats floats(Ints bits) { return _mm256_castsi256_ps(bits); }

  static Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
  static Ints subtract(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
  static Ints bitwise_and(Ints a, Ints b) { return _mm256_and_si256(a, b); }
  static Ints larger(Ints a, Ints b) { return _mm256_max_epi32(a, b); }
  static Ints larger_unsigned(Ints a, Ints b) { return _mm256_max_epu32(a, b); }
  static std::uint32_t largest_unsigned(Ints x) {
    __m128i y = _mm_max_epu32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    y = _mm_max_epu32(y, _mm_shuffle_epi32(y, 0x4e));
    y = _mm_max_epu32(y, _mm_shuffle_epi32(y, 0xb1));
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(y));
  }
  template <int kBits>
  static Ints shift_left(Ints x) {
    return _mm256_slli_epi32(x, kBits);
  }
  template <int kBits>
  static Ints shift_right(Ints x) {  // zeros come in
    return _mm256_srli_epi32(x, kBits);
  }
  template <int kBits>
  static Ints shift_right_signed(Ints x) {
    return _mm256_srai_epi32(x, kBits);
  }
  /// The low half of the first, and of the second in the high half.
  static Ints pair(Ints first, Ints second) {
    return _mm256_blend_epi16(first, _mm256_slli_epi32(second, 16), 0xaa);
  }

  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats multiply(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats fused(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats converted(Ints x) { return _mm256_cvtepi32_ps(x); }
  /// To the nearest, ties to even.
  static Ints rounded(Floats x) { return _mm256_cvtps_epi32(x); }

  /// sum += vpmaddwd(a, b). With intrinsics g++ 12 gathers the products of all rows before it
  /// adds, and spills the sums; an operand that is read and written in place keeps them in
  /// registers.
  static void add_pair_products(Ints& sum, Ints a, Ints b) {
    Ints product;
    asm("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(a), "x"(b));
  }

  /// Transposes 8 x 8 values in place.
  static void transpose_square(Ints (&x)[kWidth]) {
    Ints t[8];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 8; i += 2) {
      t[i] = _mm256_unpacklo_epi32(x[i], x[i + 1]);
      t[i + 1] = _mm256_unpackhi_epi32(x[i], x[i + 1]);
    }
    // u[4 g + c] holds in lane n the values of rows 4 g .. 4 g + 3 at column 4 n + c.
    Ints u[8];
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
};

}  // namespace
}  // namespace aftune::numerics
