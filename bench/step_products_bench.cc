// SPDX-License-Identifier: Apache-2.0
// Every product of the linear layers of one training step of SmolLM2-135M on 4 x 128 tokens, and
// nothing else: what part of a step they are. Attention's own products are not among them.
#include <benchmark/benchmark.h>

#include "aftune/numerics/product.h"
#include "bench/kernel_machine.h"
#include "bench/subjects.h"

namespace aftune::bench {
namespace {

using numerics::Store;

constexpr std::size_t kTokens = 512, kLayers = 30;
// Outputs and inputs: q, k, v, o, gate, up, down.
constexpr std::array<ProductShape, 7> kLayer = {{{kTokens, 576, 576},
                                                 {kTokens, 192, 576},
                                                 {kTokens, 192, 576},
                                                 {kTokens, 576, 576},
                                                 {kTokens, 1536, 576},
                                                 {kTokens, 1536, 576},
                                                 {kTokens, 576, 1536}}};
constexpr ProductShape kHead = {kTokens, 49152, 576};

std::vector<ProductShape> step_shapes() {
  std::vector<ProductShape> shapes;
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    shapes.insert(shapes.end(), kLayer.begin(), kLayer.end());
  }
  shapes.push_back(kHead);
  return shapes;
}

/// All weights and gradients of the model, as in a step: none is in a cache from the last use.
struct Step {
  std::vector<ProductShape> shapes = step_shapes();
  std::vector<float> weights, gradients, x, y, dx;

  Step() {
    std::size_t count = 0;
    for (const ProductShape& s : shapes) count += s.outputs * s.inputs;
    const std::vector<float> some = normal_values(1 << 20, 1);
    weights.resize(count);
    for (std::size_t i = 0; i < count; ++i) weights[i] = some[i % some.size()];
    gradients.resize(count);
    x = normal_values(kTokens * 1536, 2);
    y = normal_values(kTokens * kHead.outputs, 3);
    dx.resize(kTokens * 1536);
  }

  bool run(const numerics::Engine& engine) {
    bool finite = true;
    std::size_t at = 0;
    for (const ProductShape& s : shapes) {
      const numerics::ConstMatrix w(weights.data() + at, s.outputs, s.inputs);
      const numerics::Matrix dw(gradients.data() + at, s.outputs, s.inputs);
      const numerics::ConstMatrix input(x.data(), s.rows, s.inputs);
      const numerics::Matrix output(y.data(), s.rows, s.outputs);
      const numerics::Matrix d_input(dx.data(), s.rows, s.inputs);
      finite = linear(engine, input, w, output, Store::kWrite) &&
               linear_grad_input(engine, output, w, d_input, Store::kWrite) &&
               linear_grad_weight(engine, output, input, dw, Store::kWrite) && finite;
      at += s.outputs * s.inputs;
    }
    return finite;
  }

  [[nodiscard]] double operations() const {
    double sum = 0;
    for (const ProductShape& s : shapes) sum += 3 * s.operations();
    return sum;
  }
};

void run(benchmark::State& state, numerics::Isa isa, unsigned threads) {
  const KernelMachine machine = kernel_machine(isa, threads);
  Step step;
  for (auto _ : state) {
    if (!step.run(machine.engine)) state.SkipWithError("a product is not finite");
  }
  state.counters["flop"] =
      benchmark::Counter(step.operations(), benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

void add_step_products() {
  for (const numerics::Isa isa : numerics::available_isas()) {
    for (const unsigned threads : {1U, 2U}) {
      benchmark::RegisterBenchmark(
          benchmark_name("step_products", isa, std::to_string(threads)).c_str(),
          [=](benchmark::State& state) { run(state, isa, threads); })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  }
}

}  // namespace aftune::bench
