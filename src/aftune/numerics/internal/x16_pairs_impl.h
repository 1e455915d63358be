// SPDX-License-Identifier: Apache-2.0
// x16 by vpmaddwd, for processors without byte products: one int32 accumulator an output, T =
// sum(h q' + l h') from pairs (h, l) of A and (q', h') of B. Written over the registers of an
// instruction set, as internal/x16_impl.h, whose rule about the linker holds here, too.
#pragma once

#include <cstddef>
#include <cstdint>

#include "aftune/numerics/internal/product_kernels.h"
#include "aftune/numerics/internal/x16_impl.h"

namespace aftune::numerics {
namespace {

/// Tiles of kRows (at most 8) x kRegisters (at most 2) registers.
template <typename Lanes, std::size_t kRows, std::size_t kRegisters>
struct PairProducts {
  static constexpr std::size_t kWidth = Lanes::kWidth;
  static constexpr std::size_t kRowsB = kRegisters * kWidth;
  using Ints = typename Lanes::Ints;

  struct alignas(64) PanelA {
    std::int32_t pairs[kRows][kBlock];  // h in the low half, l in the high
    float scale[16];                    // 2^(e + 4)
  };
  struct alignas(64) PanelB {
    std::int32_t pairs[kBlock][kRowsB];  // q in the low half, h in the high
    float scale[kRowsB];                 // 2^(e + 4)
  };

  static Ints high_of(Ints q) {
    return Lanes::template shift_right_signed<8>(Lanes::add(q, Lanes::spread(128)));
  }

  static Ints quantise(const float* in, typename Lanes::Mask mask, typename Lanes::Floats inverse) {
    return Lanes::rounded(Lanes::multiply(Lanes::load(mask, in), inverse));
  }

  static bool pack_a(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
                     Exponents exponents, std::byte* out) {
    auto& panel = *reinterpret_cast<PanelA*>(out);
    for (std::size_t r = 0; r < kRows; ++r) {
      Scales scales = scales_of(0);
      const std::size_t columns = r < rows ? depth : 0;
      const float* row = in + (r < rows ? r * stride : 0);
      if (r < rows && !choose_scales<Lanes>(row, depth, exponents, &scales)) return false;
      for (std::size_t k = 0; k < depth; k += kWidth) {
        const Ints q =
            quantise(row + k, Lanes::mask_of(past(columns, k)), Lanes::spread(scales.inverse));
        const Ints h = high_of(q);
        const Ints l = Lanes::subtract(q, Lanes::template shift_left<8>(h));
        Lanes::store(panel.pairs[r] + k, Lanes::pair(h, l));
      }
      panel.scale[r] = scales.half;
    }
    return true;
  }

  static bool pack_b(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
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
    for (std::size_t first = 0; first < kRowsB; first += kWidth) {
      for (std::size_t k = 0; k < depth; k += kWidth) {
        Ints x[kWidth];
        for (std::size_t i = 0; i < kWidth; ++i) {
          const std::size_t r = first + i;
          const typename Lanes::Mask mask = Lanes::mask_of(r < rows ? depth - k : 0);
          const float* row = in + (r < rows ? r * stride : 0);
          const Ints q = quantise(row + k, mask, Lanes::spread(inverse[r]));
          x[i] = Lanes::pair(q, high_of(q));
        }
        Lanes::transpose_square(x);
        for (std::size_t i = 0; i < kWidth; ++i) Lanes::store(panel.pairs[k + i] + first, x[i]);
      }
    }
    return true;
  }

  static bool pack_b_columns(const float* in, std::size_t stride, std::size_t rows,
                             std::size_t depth, Exponents exponents, std::byte* out) {
    auto& panel = *reinterpret_cast<PanelB*>(out);
    for (std::size_t first = 0; first < kRowsB; first += kWidth) {
      const typename Lanes::Mask mask = Lanes::mask_of(past(rows, first));
      const float* columns = in + (first < rows ? first : 0);
      RowScales<Lanes> scales;
      if (!choose_row_scales<Lanes>(columns, stride, mask, depth, exponents, &scales)) return false;
      for (std::size_t k = 0; k < depth; ++k) {
        const Ints q = quantise(columns + k * stride, mask, scales.inverse);
        Lanes::store(panel.pairs[k] + first, Lanes::pair(q, high_of(q)));
      }
      Lanes::store(panel.scale + first, scales.half);
    }
    return true;
  }

  static void tile(const std::byte* a, const std::byte* b, std::size_t depth, float* out) {
    const auto& panel_a = *reinterpret_cast<const PanelA*>(a);
    const auto& panel_b = *reinterpret_cast<const PanelB*>(b);
    Ints sum[kRows][kRegisters];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (std::size_t n = 0; n < kRegisters; ++n) sum[i][n] = Lanes::spread(0);
    }
    for (std::size_t k = 0; k < depth; ++k) {
      Ints y[kRegisters];
#pragma GCC unroll 2
      for (std::size_t n = 0; n < kRegisters; ++n) {
        y[n] = Lanes::load(panel_b.pairs[k] + n * kWidth);
      }
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kRows; ++i) {
        const Ints x = Lanes::spread(panel_a.pairs[i][k]);
#pragma GCC unroll 2
        for (std::size_t n = 0; n < kRegisters; ++n) Lanes::add_pair_products(sum[i][n], x, y[n]);
      }
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (std::size_t n = 0; n < kRegisters; ++n) {
        add_scaled<Lanes>(sum[i][n], panel_a.scale[i], Lanes::load(panel_b.scale + n * kWidth),
                          out + i * kRowsB + n * kWidth);
      }
    }
  }

  static constexpr ProductKernels kernels(const char* name) {
    return {name,   kRows,  kRowsB,         sizeof(PanelA), sizeof(PanelB),      transpose<Lanes>,
            pack_a, pack_b, pack_b_columns, tile,           store<Lanes, kRowsB>};
  }
};

}  // namespace
}  // namespace aftune::numerics
