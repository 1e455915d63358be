// SPDX-License-Identifier: Apache-2.0
// aftune_bench: kernels alone. Takes Google Benchmark's flags.
#include <benchmark/benchmark.h>

#include "bench/subjects.h"

int main(int argc, char** argv) {
  aftune::bench::add_products();
  aftune::bench::add_step_products();
  aftune::bench::add_openblas();
  aftune::bench::add_onednn();
  aftune::bench::add_int8_peak();
  aftune::bench::add_elementwise();
  aftune::bench::add_update();
  aftune::bench::add_hashes();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("compiler", __VERSION__);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
