// SPDX-License-Identifier: Apache-2.0
// AdamW on as many parameters as SmolLM2-135M's embedding has: far more than a cache holds.
#include <benchmark/benchmark.h>

#include "aftune/numerics/update.h"
#include "bench/kernel_machine.h"
#include "bench/subjects.h"

namespace aftune::bench {
namespace {

constexpr std::size_t kParameters = std::size_t{49152} * 576;

void run(benchmark::State& state, numerics::Isa isa, unsigned threads) {
  const KernelMachine machine = kernel_machine(isa, threads);
  std::vector<float> parameter(kParameters, 0.5F), m(kParameters), v(kParameters);
  const std::vector<float> some = normal_values(1 << 16, 1);
  std::vector<float> gradient(kParameters);
  for (std::size_t i = 0; i < kParameters; ++i) gradient[i] = some[i % some.size()];
  std::uint64_t step = 0;
  for (auto _ : state) {
    const auto scalars = numerics::adamw_scalars(1e-4, 0.9, 0.999, 1e-8, 0.01, ++step, 1.0F);
    if (!adamw(machine.engine, scalars, gradient, parameter, m, v)) {
      state.SkipWithError("a parameter is not finite");
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kParameters * 7 * 4));
}

}  // namespace

void add_update() {
  for (const numerics::Isa isa : numerics::available_isas()) {
    for (const unsigned threads : {1U, 2U}) {
      benchmark::RegisterBenchmark(benchmark_name("adamw", isa, std::to_string(threads)).c_str(),
                                   [=](benchmark::State& state) { run(state, isa, threads); })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  }
}

}  // namespace aftune::bench
