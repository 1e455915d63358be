// SPDX-License-Identifier: Apache-2.0
// The kernels of amx/ on machines without AMX, for tests: over tiles in plain C++
// (amx/emulated_tiles.h), the rest by AVX-512.
#pragma once

#include "aftune/numerics/engine.h"

namespace aftune::numerics {

struct ProductKernels;  // internal/product_kernels.h

/// Whether this machine runs the emulation: it needs AVX-512 with VNNI.
[[nodiscard]] bool can_emulate_amx();
/// Requires: can_emulate_amx().
[[nodiscard]] Engine emulated_amx_engine(ThreadPool& pool);
/// The emulated products alone. Requires: can_emulate_amx().
[[nodiscard]] const ProductKernels& emulated_amx_products();

}  // namespace aftune::numerics
