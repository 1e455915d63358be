// SPDX-License-Identifier: Apache-2.0
// Runs the very instructions of amx/product_kernels.cc on processors that lack them: the
// processor refuses each tile instruction by a signal, whose handler carries it out
// (amx/emulated_tiles.h) and goes on behind it. Tests the object code: encodings, operands,
// addresses, strides. x86-64 only.
#pragma once

#include <csignal>
#include <cstdint>

namespace aftune::numerics {

/// While it lives, tile instructions of every thread work. One at a time.
class TrappedTiles {
 public:
  TrappedTiles();
  ~TrappedTiles();
  TrappedTiles(const TrappedTiles&) = delete;
  TrappedTiles& operator=(const TrappedTiles&) = delete;

  /// Tile instructions carried out since the start of the program.
  [[nodiscard]] static std::uint64_t count();

 private:
  struct sigaction before_ = {};
};

}  // namespace aftune::numerics
