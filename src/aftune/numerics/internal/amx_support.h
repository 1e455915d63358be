// SPDX-License-Identifier: Apache-2.0
// Whether this process may use the tiles of AMX: processor, system, permission, and a trial in a
// child process, since an instruction that fails would end this one. x86-64 only.
#pragma once

#include <cstdint>
#include <string>

#include "aftune/numerics/internal/product_kernels.h"

namespace aftune::numerics {

/// What a machine says about tiles.
struct TileFacts {
  bool has_tiles = false, has_int8 = false;  // the processor
  std::uint64_t saved_state = 0;             // XCR0: what the system saves of a thread's registers
  int permission_error = 0;                  // of the system, errno; 0: granted
};

/// What keeps tiles from being used; empty if nothing does.
[[nodiscard]] std::string why_no_tiles(const TileFacts& facts);
/// Of this machine. Asks the system for this process's permission.
[[nodiscard]] std::string why_no_tiles();

/// Multiplies a little in a child process. Empty if the child ends well with the right sums, else
/// what became of it.
/// Requires: kernels whose functions take no memory and no lock.
[[nodiscard]] std::string try_in_child(const ProductKernels& kernels, unsigned limit_s = 5);

}  // namespace aftune::numerics
