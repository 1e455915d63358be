// SPDX-License-Identifier: Apache-2.0
// Products with packed matrices by vpmaddwd, for processors without VNNI.
#include "aftune/numerics/avx512/lanes.h"
#include "aftune/numerics/internal/packed_words_impl.h"

namespace aftune::numerics {
namespace {

struct Dot {
  static void add(__m512i& sum, __m512i a, __m512i b) { Lanes::add_pair_products(sum, a, b); }
};

}  // namespace

extern const PackedKernels kAvx512BwPackedKernels;
const PackedKernels kAvx512BwPackedKernels = {"avx512bw", multiply_packed<Dot>};

}  // namespace aftune::numerics
