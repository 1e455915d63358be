// SPDX-License-Identifier: Apache-2.0
// Stands for onednn_bench.cc where this build cannot have it.
#include "bench/subjects.h"

namespace aftune::bench {

void add_onednn() {}

}  // namespace aftune::bench
