// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/internal/elementwise_kernels_impl.h"

namespace aftune::numerics {

extern const ElementwiseKernels kAvx512ElementwiseKernels;
const ElementwiseKernels kAvx512ElementwiseKernels = kElementwiseKernels;

}  // namespace aftune::numerics
