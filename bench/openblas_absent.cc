// SPDX-License-Identifier: Apache-2.0
// Stands for openblas_bench.cc where this build cannot have it.
#include "bench/subjects.h"

namespace aftune::bench {

void add_openblas() {}

}  // namespace aftune::bench
