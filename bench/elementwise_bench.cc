// SPDX-License-Identifier: Apache-2.0
// Elementwise functions, rows and the loss, one thread, on the sizes of SmolLM2-135M with 4 x 128
// tokens. exp and softmax are no operations of their own: their kernels are called as attention
// calls them.
#include <benchmark/benchmark.h>

#include "aftune/numerics/elementwise.h"
#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/loss.h"
#include "bench/kernel_machine.h"
#include "bench/subjects.h"

namespace aftune::bench {
namespace {

constexpr std::size_t kTokens = 512, kWidth = 576, kHidden = 1536, kKeys = 2048,
                      kVocabulary = 49152;

using Body = void (*)(benchmark::State&, const KernelMachine&);

void exp(benchmark::State& state, const KernelMachine& machine) {
  const auto& kernels = machine.engine.kernels().elementwise;
  const std::vector<float> x = normal_values(kTokens * kHidden, 1);
  std::vector<float> y(x.size());
  for (auto _ : state) {
    kernels.exp_row(x.data(), 0.0F, x.size(), y.data());
    benchmark::ClobberMemory();
  }
}

/// silu(gate) * up, as the MLP has it.
void swiglu(benchmark::State& state, const KernelMachine& machine) {
  const std::vector<float> gate = normal_values(kTokens * kHidden, 1);
  const std::vector<float> up = normal_values(kTokens * kHidden, 2);
  std::vector<float> out(gate.size());
  for (auto _ : state) {
    numerics::swiglu(machine.engine, gate, up, out);
    benchmark::ClobberMemory();
  }
}

void softmax(benchmark::State& state, const KernelMachine& machine) {
  const auto& kernels = machine.engine.kernels().elementwise;
  const std::vector<float> scores = normal_values(kTokens * kKeys, 1);
  std::vector<float> p(scores.size());
  for (auto _ : state) {
    for (std::size_t row = 0; row < kTokens; ++row) {
      const float* s = scores.data() + row * kKeys;
      float* out = p.data() + row * kKeys;
      kernels.exp_row(s, kernels.row_max(s, kKeys), kKeys, out);
      kernels.divide_scale(kernels.lane_sum(out, kKeys), 1.0F, kKeys, out);
    }
    benchmark::ClobberMemory();
  }
}

void rms_norm(benchmark::State& state, const KernelMachine& machine) {
  const std::vector<float> x = normal_values(kTokens * kWidth, 1), w = normal_values(kWidth, 2);
  std::vector<float> y(x.size());
  for (auto _ : state) {
    numerics::rms_norm(machine.engine, {x.data(), kTokens, kWidth}, w, 1e-5F,
                       {y.data(), kTokens, kWidth});
    benchmark::ClobberMemory();
  }
}

void run_loss(benchmark::State& state, const KernelMachine& machine, bool gradient) {
  std::vector<float> logits = normal_values(kTokens * kVocabulary, 1);
  std::vector<std::int32_t> labels(kTokens);
  for (std::size_t t = 0; t < kTokens; ++t) labels[t] = static_cast<std::int32_t>(t * 89);
  for (auto _ : state) {
    // The gradient replaces the logits; the time does not depend on the values.
    const auto loss = numerics::cross_entropy(machine.engine, {logits.data(), kTokens, kVocabulary},
                                              labels, kTokens, gradient);
    if (!loss) state.SkipWithError(loss.error().what.c_str());
  }
}

void cross_entropy(benchmark::State& state, const KernelMachine& machine) {
  run_loss(state, machine, false);
}

void cross_entropy_gradient(benchmark::State& state, const KernelMachine& machine) {
  run_loss(state, machine, true);
}

}  // namespace

void add_elementwise() {
  const std::pair<const char*, Body> bodies[] = {
      {"exp", exp},
      {"silu", swiglu},
      {"softmax", softmax},
      {"rms_norm", rms_norm},
      {"cross_entropy", cross_entropy},
      {"cross_entropy_gradient", cross_entropy_gradient}};
  for (const numerics::Isa isa : numerics::available_isas()) {
    for (const auto& [subject, body] : bodies) {
      benchmark::RegisterBenchmark(
          benchmark_name(subject, isa, "1").c_str(),
          [=, body = body](benchmark::State& state) { body(state, kernel_machine(isa, 1)); })
          ->Unit(benchmark::kMicrosecond)
          ->UseRealTime();
    }
  }
}

}  // namespace aftune::bench
