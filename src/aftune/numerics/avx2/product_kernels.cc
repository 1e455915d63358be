// SPDX-License-Identifier: Apache-2.0
// x16 by AVX2: pairs by vpmaddwd, tiles of 6 x 16.
#include "aftune/numerics/avx2/lanes.h"
#include "aftune/numerics/internal/x16_pairs_impl.h"

namespace aftune::numerics {

extern const ProductKernels kAvx2ProductKernels;
const ProductKernels kAvx2ProductKernels = PairProducts<Lanes, 6, 2>::kernels("avx2");

}  // namespace aftune::numerics
