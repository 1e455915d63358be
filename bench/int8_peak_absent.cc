// SPDX-License-Identifier: Apache-2.0
// Stands for int8_peak_bench.cc where this build cannot have it.
#include "bench/subjects.h"

namespace aftune::bench {

void add_int8_peak() {}

}  // namespace aftune::bench
