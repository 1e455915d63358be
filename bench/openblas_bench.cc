// SPDX-License-Identifier: Apache-2.0
// OpenBLAS's sgemm on the shapes of product_bench.cc, one thread.
#include <benchmark/benchmark.h>
#include <cblas.h>

#include "bench/kernel_machine.h"
#include "bench/subjects.h"

namespace aftune::bench {
namespace {

void run(benchmark::State& state, const ProductShape& s) {
  openblas_set_num_threads(1);
  const std::vector<float> x = normal_values(s.rows * s.inputs, 1);
  const std::vector<float> w = normal_values(s.outputs * s.inputs, 2);
  std::vector<float> y(s.rows * s.outputs);
  const auto t = static_cast<int>(s.rows), n = static_cast<int>(s.outputs),
             k = static_cast<int>(s.inputs);
  for (auto _ : state) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, t, n, k, 1, x.data(), k, w.data(), k, 0,
                y.data(), n);
    benchmark::ClobberMemory();
  }
  state.SetLabel(openblas_get_corename());
  state.counters["flop"] =
      benchmark::Counter(s.operations(), benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

void add_openblas() {
  for (const ProductShape& shape : kProductShapes) {
    benchmark::RegisterBenchmark(("openblas/" + shape.name()).c_str(),
                                 [=](benchmark::State& state) { run(state, shape); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

}  // namespace aftune::bench
