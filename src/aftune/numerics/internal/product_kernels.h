// SPDX-License-Identifier: Apache-2.0
// The kernels behind product.h and attention.h, one set for each instruction set. Definition:
// docs/formats/exact-arithmetic.md, "x16". internal/multiply.h walks matrices with them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aftune::numerics {

/// Columns of a block of x16: values that share an exponent.
inline constexpr std::size_t kBlock = 256;
/// The smallest size(x) that has no exponent: 32639.5 * 2^55.
inline constexpr std::uint32_t kSizeBound = 0x627eff00;

/// Where a row's exponent in a block comes from.
enum class Exponents {
  kChosen,  // from the largest value, as x16 has it
  kZero,    // the values are integers of size at most 32639 already
};

/// Operands are quantised into panels: one block of a few rows, in a layout that only the set
/// knows. Panels start at multiples of 64 bytes. `rows` below a panel's and `depth` below kBlock
/// are edges; the missing rows give zeros.
struct ProductKernels {
  const char* name;
  std::size_t a_rows, b_rows;                // of a panel
  std::size_t a_panel_bytes, b_panel_bytes;  // multiples of 64

  /// row r of `out` (kBlock values apart) = the `depth` values at in[k * stride + r]. May write
  /// anything to out's values past `depth`.
  void (*transpose)(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
                    float* out);
  /// Quantises row r at in[r * stride]. False if a value's size reaches kSizeBound.
  bool (*pack_a)(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
                 Exponents exponents, std::byte* panel);
  bool (*pack_b)(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
                 Exponents exponents, std::byte* panel);
  /// pack_b of the transposed: value k of row r at in[k * stride + r].
  bool (*pack_b_columns)(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
                         Exponents exponents, std::byte* panel);
  /// tile(i, j) = fma(T(i, j), scale(i, j), tile(i, j)) over one block; tile is a_rows x b_rows,
  /// dense, at a multiple of 64 bytes.
  void (*tile)(const std::byte* a, const std::byte* b, std::size_t depth, float* tile);
  /// Writes the first rows and columns of a tile to `out`, or adds them. False if a value that it
  /// stored is not finite.
  bool (*store)(const float* tile, std::size_t rows, std::size_t columns, bool add, float* out,
                std::size_t stride);
  /// Before and after calls of tile() on a thread; null where it needs neither. No code that is
  /// not this set's may run between them.
  void (*begin)() = nullptr;
  void (*end)() = nullptr;
};

}  // namespace aftune::numerics
