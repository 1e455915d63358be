// SPDX-License-Identifier: Apache-2.0
// The kernels of amx/product_kernels.cc over emulated tiles, for tests: needs AVX-512, no AMX.
#include "aftune/numerics/amx/emulated_tiles.h"
#include "aftune/numerics/internal/amx_product_impl.h"

namespace aftune::numerics {

extern const ProductKernels kEmulatedAmxProductKernels;
const ProductKernels kEmulatedAmxProductKernels =
    TileProducts<EmulatedTiles>::kernels("emulated amx");

}  // namespace aftune::numerics
