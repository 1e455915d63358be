// SPDX-License-Identifier: Apache-2.0
// x16 by the tile instructions of AMX.
#include "aftune/numerics/amx/tiles.h"
#include "aftune/numerics/internal/amx_product_impl.h"

namespace aftune::numerics {

extern const ProductKernels kAmxProductKernels;
const ProductKernels kAmxProductKernels = TileProducts<Tiles>::kernels("amx");

}  // namespace aftune::numerics
