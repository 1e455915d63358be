// SPDX-License-Identifier: Apache-2.0
// Products with packed matrices by vpdpwssd.
#include "aftune/numerics/internal/packed_words_impl.h"

namespace aftune::numerics {
namespace {

struct Dot {
  // In place: with the intrinsic g++ 12 copies and spills the sums.
  static void add(__m512i& sum, __m512i a, __m512i b) {
    asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  }
};

}  // namespace

extern const PackedKernels kAvx512PackedKernels;
const PackedKernels kAvx512PackedKernels = {"avx512", multiply_packed<Dot>};

}  // namespace aftune::numerics
