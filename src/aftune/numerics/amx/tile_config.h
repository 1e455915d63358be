// SPDX-License-Identifier: Apache-2.0
// How the eight tiles of AMX are shaped: the 64 bytes that ldtilecfg reads, as Intel's manual
// (volume 2A, "LDTILECFG") lays them out.
#pragma once

#include <cstddef>
#include <cstdint>

namespace aftune::numerics {

inline constexpr std::size_t kTileCount = 8;
inline constexpr std::size_t kTileRows = 16;
inline constexpr std::size_t kTileRowBytes = 64;

struct alignas(64) TileConfig {
  std::uint8_t palette;
  std::uint8_t start_row;
  std::uint8_t reserved[14];
  std::uint16_t row_bytes[16];  // of tiles 0 to 7; the others are zero
  std::uint8_t rows[16];
};
static_assert(sizeof(TileConfig) == 64);

/// Every tile as large as it can be. Not inline: an object for AMX may define nothing to share.
constexpr TileConfig kFullTiles = {
    1,
    0,
    {},
    {kTileRowBytes, kTileRowBytes, kTileRowBytes, kTileRowBytes, kTileRowBytes, kTileRowBytes,
     kTileRowBytes, kTileRowBytes},
    {kTileRows, kTileRows, kTileRows, kTileRows, kTileRows, kTileRows, kTileRows, kTileRows}};

}  // namespace aftune::numerics
