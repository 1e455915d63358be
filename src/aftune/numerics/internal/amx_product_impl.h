// SPDX-License-Identifier: Apache-2.0
// x16 by tiles of signed bytes: squares of 32 x 32 outputs, for each of them four sums of h h' and
// then four of h l' + l h'. While the tiles multiply one square, the vector units scale and add
// the sums of the one before. `Tiles` is the instructions (amx/tiles.h) or what tests put in
// their place (amx/emulated_tiles.h). Nothing here may be seen by the linker.
#pragma once

#include <cstddef>
#include <cstdint>

#include "aftune/numerics/amx/tile_config.h"
#include "aftune/numerics/avx512/lanes.h"
#include "aftune/numerics/avx512/slices.h"
#include "aftune/numerics/internal/product_kernels.h"
#include "aftune/numerics/internal/x16_impl.h"

namespace aftune::numerics {
namespace {

template <typename Tiles>
struct TileProducts {
  static constexpr std::size_t kSide = kTileRows;  // outputs of a tile of sums, either way
  static constexpr std::size_t kSquare = 2 * kSide;
  static constexpr std::size_t kSquares = 2;  // of a panel of A, one below the other
  static constexpr std::size_t kRowsA = kSquares * kSquare;
  static constexpr std::size_t kRowsB = kSquare;
  static constexpr std::size_t kSteps = kBlock / kSliceWidth;

  // 16 rows of A, 64 columns each; or of B 4 columns each of 16 rows, a dword a row. The order of
  // columns is that of quantise() in both.
  struct TileBytes {
    std::int8_t bytes[kTileRows][kTileRowBytes];
  };
  struct Step {
    TileBytes high, low;
  };
  struct alignas(64) PanelA {
    Step steps[kRowsA / kSide][kSteps];
    float scale[kRowsA];  // 2^(e + 4)
    std::size_t squares;  // that have a row
  };
  struct alignas(64) PanelB {
    Step steps[kRowsB / kSide][kSteps];
    float scale[kRowsB];  // 2^(e + 4)
  };

  static bool pack_a(const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
                     Exponents exponents, std::byte* out) {
    auto& panel = *reinterpret_cast<PanelA*>(out);
    panel.squares = (rows + kSquare - 1) / kSquare;
    for (std::size_t r = 0; r < panel.squares * kSquare; ++r) {
      Scales scales = scales_of(0);
      const std::size_t columns = r < rows ? depth : 0;
      const float* row = in + (r < rows ? r * stride : 0);
      if (r < rows && !choose_scales<Lanes>(row, depth, exponents, &scales)) return false;
      for (std::size_t k = 0; k < depth; k += kSliceWidth) {
        const Slices slices = quantise(row + k, past(columns, k), scales.inverse);
        Step& step = panel.steps[r / kSide][k / kSliceWidth];
        _mm512_store_si512(step.high.bytes[r % kSide], slices.high);
        _mm512_store_si512(step.low.bytes[r % kSide], slices.low);
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
    for (std::size_t half = 0; half < 2; ++half) {
      const std::size_t there = past(rows, kSide * half);
      const float* first = in + (there > 0 ? kSide * half * stride : 0);
      for (std::size_t k = 0; k < depth; k += kSliceWidth) {
        __m512i high[16];
        __m512i low[16];
        quantise_square(first + k, stride, there, depth - k, inverse + kSide * half, high, low);
        Step& step = panel.steps[half][k / kSliceWidth];
        for (std::size_t d = 0; d < 16; ++d) {
          _mm512_store_si512(step.high.bytes[d], high[d]);
          _mm512_store_si512(step.low.bytes[d], low[d]);
        }
      }
    }
    return true;
  }

  static bool pack_b_columns(const float* in, std::size_t stride, std::size_t rows,
                             std::size_t depth, Exponents exponents, std::byte* out) {
    auto& panel = *reinterpret_cast<PanelB*>(out);
    const std::size_t whole = (depth + kSliceWidth - 1) / kSliceWidth * kSliceWidth;
    for (std::size_t half = 0; half < 2; ++half) {
      const __mmask16 mask = Lanes::mask_of(past(rows, kSide * half));
      const float* columns = in + (mask != 0 ? kSide * half : 0);
      RowScales<Lanes> scales;
      if (!choose_row_scales<Lanes>(columns, stride, mask, depth, exponents, &scales)) return false;
      Lanes::store(panel.scale + kSide * half, scales.half);
      for (std::size_t k = 0; k < whole; k += kDwordColumns) {
        const float* four = columns + (k < depth ? k * stride : 0);
        const Slices slices = quantise_columns(four, stride, mask, past(depth, k), scales.inverse);
        Step& step = panel.steps[half][k / kSliceWidth];
        const std::size_t d = place_of_dword(k % kSliceWidth / kDwordColumns);
        _mm512_store_si512(step.high.bytes[d], slices.high);
        _mm512_store_si512(step.low.bytes[d], slices.low);
      }
    }
    return true;
  }

  /// What the tiles leave of a square.
  struct SquareSums {
    std::int32_t at[2][2][kSide][kSide];  // upper and lower rows, left and right columns
  };
  struct alignas(64) Sums {
    SquareSums high, mixed;
  };

  /// Adds sums to the fp32 tile, a few rows at a time.
  class Epilogue {
   public:
    Epilogue(const Sums* sums, const PanelA& a, const PanelB& b, float* out)
        : sums_(sums), a_(a), b_(b), out_(out) {}

    /// The sums of this many squares are there.
    void extend_to(std::size_t squares) { end_ = squares * kSquare; }
    void rows(std::size_t count) {
      for (; count > 0 && next_ < end_; --count) add_row(next_++);
    }

   private:
    void add_row(std::size_t row) {
      const Sums& sums = sums_[row / kSquare];
      const std::size_t i = row % kSquare / kSide;
#pragma GCC unroll 2
      for (std::size_t n = 0; n < 2; ++n) {
        const __m512i high = Lanes::load(sums.high.at[i][n][row % kSide]);
        const __m512i mixed = Lanes::load(sums.mixed.at[i][n][row % kSide]);
        add_scaled<Lanes>(Lanes::add(Lanes::shift_left<8>(high), mixed), a_.scale[row],
                          Lanes::load(b_.scale + kSide * n), out_ + row * kRowsB + kSide * n);
      }
    }

    const Sums* sums_;
    const PanelA& a_;
    const PanelB& b_;
    float* out_;
    std::size_t next_ = 0;
    std::size_t end_ = 0;
  };

  // Tiles 0 to 3 hold the sums of a square, row by row; 4 and 5 come from A, 6 and 7 from B. Each
  // sum is met every fourth product, which is how long one takes.
  static void zero_sums() {
    Tiles::template zero<0>();
    Tiles::template zero<1>();
    Tiles::template zero<2>();
    Tiles::template zero<3>();
  }
  static void add_products(const TileBytes& upper, const TileBytes& lower, const TileBytes& left,
                           const TileBytes& right) {
    Tiles::template load<4>(upper.bytes[0]);
    Tiles::template load<6>(left.bytes[0]);
    Tiles::template dot<0, 4, 6>();
    Tiles::template load<7>(right.bytes[0]);
    Tiles::template dot<1, 4, 7>();
    Tiles::template load<5>(lower.bytes[0]);
    Tiles::template dot<2, 5, 6>();
    Tiles::template dot<3, 5, 7>();
  }
  static void store_sums(SquareSums& sums) {
    Tiles::template store<0>(sums.at[0][0][0]);
    Tiles::template store<1>(sums.at[0][1][0]);
    Tiles::template store<2>(sums.at[1][0][0]);
    Tiles::template store<3>(sums.at[1][1][0]);
  }

  static void tile(const std::byte* a, const std::byte* b, std::size_t depth, float* out) {
    const auto& panel_a = *reinterpret_cast<const PanelA*>(a);
    const auto& panel_b = *reinterpret_cast<const PanelB*>(b);
    const std::size_t steps = (depth + kSliceWidth - 1) / kSliceWidth;
    const std::size_t share = (kSquare + 2 * steps - 1) / (2 * steps);  // of the rows of a square
    Sums sums[kSquares];
    Epilogue epilogue(sums, panel_a, panel_b, out);
    const auto& y = panel_b.steps;
    for (std::size_t s = 0; s < panel_a.squares; ++s) {
      const auto* x = panel_a.steps + 2 * s;
      zero_sums();
      for (std::size_t k = 0; k < steps; ++k) {
        add_products(x[0][k].high, x[1][k].high, y[0][k].high, y[1][k].high);
        epilogue.rows(share);
      }
      store_sums(sums[s].high);
      zero_sums();
      for (std::size_t k = 0; k < steps; ++k) {
        add_products(x[0][k].high, x[1][k].high, y[0][k].low, y[1][k].low);
        add_products(x[0][k].low, x[1][k].low, y[0][k].high, y[1][k].high);
        epilogue.rows(share);
      }
      store_sums(sums[s].mixed);
      epilogue.extend_to(s + 1);
    }
    epilogue.rows(kSquare);
  }

  // Per task rather than once a thread: another library of the process may use the tiles, too,
  // and a released thread is cheaper to switch.
  static void begin() { Tiles::configure(kFullTiles); }
  static void end() { Tiles::release(); }

  static constexpr ProductKernels kernels(const char* name) {
    return {name,   kRowsA, kRowsB,         sizeof(PanelA), sizeof(PanelB),       transpose<Lanes>,
            pack_a, pack_b, pack_b_columns, tile,           store<Lanes, kRowsB>, begin,
            end};
  }
};

}  // namespace
}  // namespace aftune::numerics
