// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/internal/elementwise_kernels_impl.h"

namespace aftune::numerics {

extern const ElementwiseKernels kAvx512BwElementwiseKernels;
const ElementwiseKernels kAvx512BwElementwiseKernels = kElementwiseKernels;

}  // namespace aftune::numerics
