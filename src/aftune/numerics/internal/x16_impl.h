// SPDX-License-Identifier: Apache-2.0
// What the vector kernels of x16 share, whatever the width of a register and the layout of a
// panel. Definition: docs/formats/exact-arithmetic.md, "x16".
//
// `Lanes` is the registers of an instruction set (avx2/lanes.h, avx512/lanes.h). Everything here
// has internal linkage and no standard function is called: a function that the linker may merge
// could be taken from one instruction set's object into code that runs everywhere.
#pragma once

#include <cstddef>
#include <cstdint>

#include "aftune/numerics/internal/product_kernels.h"

namespace aftune::numerics {
namespace {

inline std::size_t past(std::size_t total, std::size_t used) {
  return total > used ? total - used : 0;
}

struct Scales {
  float inverse;  // 2^-e
  float half;     // 2^(e + 4): two of them multiply to 2^(e + e' + 8)
};

inline Scales scales_of(int exponent) {
  return {__builtin_bit_cast(float, static_cast<std::uint32_t>(127 - exponent) << 23),
          __builtin_bit_cast(float, static_cast<std::uint32_t>(127 + exponent + 4) << 23)};
}

template <typename Lanes>
inline typename Lanes::Ints sizes(typename Lanes::Floats x) {
  return Lanes::bitwise_and(Lanes::bits(x), Lanes::spread(0x7fffffff));
}

/// The scales of a row. False if it has no exponent.
template <typename Lanes>
inline bool choose_scales(const float* row, std::size_t depth, Exponents exponents,
                          Scales* scales) {
  if (exponents == Exponents::kZero) {
    *scales = scales_of(0);
    return true;
  }
  typename Lanes::Ints largest = Lanes::spread(0);
  for (std::size_t k = 0; k < depth; k += Lanes::kWidth) {
    const typename Lanes::Floats x = Lanes::load(Lanes::mask_of(depth - k), row + k);
    largest = Lanes::larger_unsigned(largest, sizes<Lanes>(x));
  }
  const std::uint32_t size = Lanes::largest_unsigned(largest);
  if (size >= kSizeBound) return false;
  const int needed = static_cast<int>((size + 0x10100) >> 23) - 141;
  *scales = scales_of(needed < -66 ? -66 : needed);
  return true;
}

/// Scales of as many rows as a register has lanes.
template <typename Lanes>
struct RowScales {
  typename Lanes::Floats inverse, half;  // as those of Scales
};

template <typename Lanes>
inline typename Lanes::Floats powers_of_two(typename Lanes::Ints exponents) {
  return Lanes::floats(Lanes::template shift_left<23>(Lanes::add(exponents, Lanes::spread(127))));
}

/// The scales of rows that stand as columns. False if one has no exponent.
template <typename Lanes>
inline bool choose_row_scales(const float* in, std::size_t stride, typename Lanes::Mask mask,
                              std::size_t depth, Exponents exponents, RowScales<Lanes>* scales) {
  typename Lanes::Ints exponent = Lanes::spread(0);
  if (exponents == Exponents::kChosen) {
    typename Lanes::Ints largest = Lanes::spread(0);
    for (std::size_t k = 0; k < depth; ++k) {
      largest = Lanes::larger_unsigned(largest, sizes<Lanes>(Lanes::load(mask, in + k * stride)));
    }
    if (Lanes::largest_unsigned(largest) >= kSizeBound) return false;
    const typename Lanes::Ints rounded = Lanes::add(largest, Lanes::spread(0x10100));
    exponent =
        Lanes::larger(Lanes::subtract(Lanes::template shift_right<23>(rounded), Lanes::spread(141)),
                      Lanes::spread(-66));
  }
  scales->inverse = powers_of_two<Lanes>(Lanes::subtract(Lanes::spread(0), exponent));
  scales->half = powers_of_two<Lanes>(Lanes::add(exponent, Lanes::spread(4)));
  return true;
}

/// c = fma(sum, a b, c) for the lanes at `c`, a b being the block's scale.
template <typename Lanes>
inline void add_scaled(typename Lanes::Ints sum, float a, typename Lanes::Floats b, float* c) {
  const typename Lanes::Floats scale = Lanes::multiply(b, Lanes::spread(a));
  Lanes::store(c, Lanes::fused(Lanes::converted(sum), scale, Lanes::load(c)));
}

/// ProductKernels::transpose.
template <typename Lanes>
void transpose(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
               float* out) {
  constexpr std::size_t kWidth = Lanes::kWidth;
  for (std::size_t k = 0; k < depth; k += kWidth) {
    for (std::size_t r = 0; r < rows; r += kWidth) {
      const typename Lanes::Mask mask = Lanes::mask_of(rows - r);
      typename Lanes::Ints x[kWidth];
      for (std::size_t i = 0; i < kWidth; ++i) {
        const std::size_t line = k + i < depth ? k + i : k;
        x[i] = Lanes::bits(Lanes::load(mask, in + line * stride + r));
      }
      Lanes::transpose_square(x);
      const std::size_t count = rows - r < kWidth ? rows - r : kWidth;
      for (std::size_t i = 0; i < count; ++i) {
        Lanes::store_anywhere(out + (r + i) * kBlock + k, x[i]);
      }
    }
  }
}

/// ProductKernels::store, of tiles that are kRowsB wide.
template <typename Lanes, std::size_t kRowsB>
bool store(const float* values, std::size_t rows, std::size_t columns, bool add, float* out,
           std::size_t stride) {
  typename Lanes::Ints largest = Lanes::spread(0);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; j += Lanes::kWidth) {
      const typename Lanes::Mask mask = Lanes::mask_of(columns - j);
      float* c = out + i * stride + j;
      typename Lanes::Floats x = Lanes::load(mask, values + i * kRowsB + j);
      if (add) x = Lanes::add(Lanes::load(mask, c), x);
      Lanes::store(mask, c, x);
      largest = Lanes::larger_unsigned(largest, sizes<Lanes>(x));
    }
  }
  return Lanes::largest_unsigned(largest) < 0x7f800000;
}

}  // namespace
}  // namespace aftune::numerics
