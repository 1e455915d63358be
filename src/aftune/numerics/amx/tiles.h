// SPDX-License-Identifier: Apache-2.0
// The tile instructions. For files compiled with AMX; amx/emulated_tiles.h has the same
// operations in plain C++. Nothing here may be seen by the linker.
//
// Not the compiler's intrinsics: g++ 12 has them as macros over literal digits, and its loads do
// not say that they read memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "aftune/numerics/amx/tile_config.h"

namespace aftune::numerics {
namespace {

struct Tiles {
  /// Of the calling thread. Tiles are zero afterwards.
  static void configure(const TileConfig& config) {
    asm volatile("ldtilecfg %0" ::"m"(config) : "memory");
  }
  static void release() { asm volatile("tilerelease" ::: "memory"); }

  template <int kTile>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
  }
  /// Rows that stand side by side.
  template <int kTile>
  static void load(const std::int8_t* rows) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(kTile), "r"(rows), "r"(kTileRowBytes)
                 : "memory");
  }
  template <int kTile>
  static void store(std::int32_t* rows) {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(kTile), "r"(rows), "r"(kTileRowBytes)
                 : "memory");
  }
  /// Value (m, n) of `to` gains the sum over k < 16, i < 4 of byte 4 k + i of row m of `a` and
  /// byte 4 n + i of row k of `b`, both signed.
  template <int kTo, int kA, int kB>
  static void dot() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kTo), "i"(kA), "i"(kB));
  }
};

}  // namespace
}  // namespace aftune::numerics
