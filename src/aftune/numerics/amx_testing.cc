// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/amx_testing.h"

#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/product_kernels.h"

namespace aftune::numerics {

#if defined(__x86_64__)

extern const ProductKernels kEmulatedAmxProductKernels;  // amx/emulated_product_kernels.cc

bool can_emulate_amx() { return why_unavailable(Isa::kAvx512).empty(); }

Engine emulated_amx_engine(ThreadPool& pool) {
  static const KernelSet kernels{kEmulatedAmxProductKernels, kAvx512BwElementwiseKernels,
                                 kAvx512PackedKernels};
  return Engine::with_kernels(Isa::kAmx, kernels, pool);
}

const ProductKernels& emulated_amx_products() { return kEmulatedAmxProductKernels; }

#else

bool can_emulate_amx() { return false; }

Engine emulated_amx_engine(ThreadPool& pool) {
  static const KernelSet kernels{kScalarProductKernels, kScalarElementwiseKernels,
                                 kScalarPackedKernels};
  return Engine::with_kernels(Isa::kScalar, kernels, pool);
}

const ProductKernels& emulated_amx_products() { return kScalarProductKernels; }

#endif

}  // namespace aftune::numerics
