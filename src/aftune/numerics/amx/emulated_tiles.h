// SPDX-License-Identifier: Apache-2.0
// The tile instructions in plain C++, line by line as the operation sections of Intel's manual
// (volume 2, "LDTILECFG", "TILELOADD", "TILESTORED", "TDPBSSD") have them, for tests on machines
// without AMX. What raises an exception there stops the program here.
//
// Included by a file that is compiled for an instruction set, so nothing here may be seen by the
// linker, and no standard function is called.
#pragma once

#include <cstddef>
#include <cstdint>

#include "aftune/numerics/amx/tile_config.h"

namespace aftune::numerics {
namespace {

/// The tiles of one thread.
class TileRegisters {
 public:
  void configure(const TileConfig& config) {
    require(config.palette == 1 && config.start_row == 0);
    for (const std::uint8_t byte : config.reserved) require(byte == 0);
    for (std::size_t i = 0; i < 16; ++i) {
      const bool tile = i < kTileCount;
      require(config.rows[i] <= (tile ? kTileRows : 0));
      require(config.row_bytes[i] <= (tile ? kTileRowBytes : 0));
      require((config.rows[i] == 0) == (config.row_bytes[i] == 0));
    }
    for (std::size_t i = 0; i < kTileCount; ++i) {
      tiles_[i] = Tile{config.rows[i], config.row_bytes[i], {}};
    }
    configured_ = true;
  }

  void release() {
    for (Tile& tile : tiles_) tile = Tile{};
    configured_ = false;
  }

  void zero(std::size_t tile) {
    Tile& to = valid(tile);
    to = Tile{to.rows, to.row_bytes, {}};
  }

  void load(std::size_t tile, const void* base, std::ptrdiff_t stride) {
    Tile& to = valid(tile);
    to = Tile{to.rows, to.row_bytes, {}};
    for (std::size_t row = 0; row < to.rows; ++row) {
      const auto* from = static_cast<const char*>(base) + static_cast<std::ptrdiff_t>(row) * stride;
      __builtin_memcpy(to.data[row], from, to.row_bytes);
    }
  }

  void store(std::size_t tile, void* base, std::ptrdiff_t stride) {
    const Tile& from = valid(tile);
    for (std::size_t row = 0; row < from.rows; ++row) {
      auto* to = static_cast<char*>(base) + static_cast<std::ptrdiff_t>(row) * stride;
      __builtin_memcpy(to, from.data[row], from.row_bytes);
    }
  }

  /// tdpbssd: to += a b, to of m x n values, a of m x 4 k bytes, b of k x 4 n bytes. Sanitizers
  /// would make each of its 2^14 products several times slower.
  __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined"))) void dot(
      std::size_t to, std::size_t a, std::size_t b) {
    require(to != a && to != b && a != b);
    Tile& sums = valid(to);
    const Tile& left = valid(a);
    const Tile& right = valid(b);
    require(sums.row_bytes == right.row_bytes && sums.rows == left.rows);
    require(left.row_bytes % 4 == 0 && right.row_bytes % 4 == 0);
    require(left.row_bytes / 4U == right.rows);
    for (std::size_t m = 0; m < sums.rows; ++m) {
      std::int32_t row[kTileRowBytes / 4];
      __builtin_memcpy(row, sums.data[m], sizeof row);
      for (std::size_t k = 0; k < left.row_bytes / 4U; ++k) {
        for (std::size_t n = 0; n < sums.row_bytes / 4U; ++n) {
          for (std::size_t i = 0; i < 4; ++i) {
            row[n] += left.data[m][4 * k + i] * right.data[k][4 * n + i];
          }
        }
      }
      __builtin_memcpy(sums.data[m], row, sizeof row);
    }
  }

 private:
  struct Tile {
    std::uint16_t rows, row_bytes;
    std::int8_t data[kTileRows][kTileRowBytes];
  };

  static void require(bool holds) {
    if (!holds) __builtin_trap();
  }
  Tile& valid(std::size_t tile) {
    require(configured_ && tile < kTileCount && tiles_[tile].rows != 0);
    return tiles_[tile];
  }

  Tile tiles_[kTileCount] = {};
  bool configured_ = false;
};

thread_local TileRegisters tile_registers;

/// As Tiles of amx/tiles.h.
struct EmulatedTiles {
  static void configure(const TileConfig& config) { tile_registers.configure(config); }
  static void release() { tile_registers.release(); }
  template <int kTile>
  static void zero() {
    tile_registers.zero(kTile);
  }
  template <int kTile>
  static void load(const std::int8_t* rows) {
    tile_registers.load(kTile, rows, kTileRowBytes);
  }
  template <int kTile>
  static void store(std::int32_t* rows) {
    tile_registers.store(kTile, rows, kTileRowBytes);
  }
  template <int kTo, int kA, int kB>
  static void dot() {
    tile_registers.dot(kTo, kA, kB);
  }
};

}  // namespace
}  // namespace aftune::numerics
