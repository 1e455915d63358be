// SPDX-License-Identifier: Apache-2.0
// x16 for processors with AVX-512 but without VNNI: pairs by vpmaddwd, tiles of 8 x 32.
#include "aftune/numerics/avx512/lanes.h"
#include "aftune/numerics/internal/x16_pairs_impl.h"

namespace aftune::numerics {

extern const ProductKernels kAvx512BwProductKernels;
const ProductKernels kAvx512BwProductKernels = PairProducts<Lanes, 8, 2>::kernels("avx512bw");

}  // namespace aftune::numerics
