// SPDX-License-Identifier: Apache-2.0
// The products x16 of a linear layer, one thread, quantising and packing included.
#include <benchmark/benchmark.h>

#include "aftune/numerics/product.h"
#include "bench/kernel_machine.h"
#include "bench/subjects.h"

namespace aftune::bench {
namespace {

using numerics::ConstMatrix;
using numerics::Matrix;
using numerics::Store;

/// The operands of a linear layer; each product reads two of them and writes the third.
struct Layer {
  explicit Layer(const ProductShape& s)
      : shape(s),
        x(normal_values(s.rows * s.inputs, 1)),
        w(normal_values(s.outputs * s.inputs, 2)),
        y(normal_values(s.rows * s.outputs, 3)) {}

  ProductShape shape;
  std::vector<float> x, w, y;

  Matrix x_TK() { return {x.data(), shape.rows, shape.inputs}; }
  Matrix w_NK() { return {w.data(), shape.outputs, shape.inputs}; }
  Matrix y_TN() { return {y.data(), shape.rows, shape.outputs}; }
};

using Product = Status (*)(const numerics::Engine&, Layer&);

Status forward(const numerics::Engine& engine, Layer& l) {
  return linear(engine, l.x_TK(), l.w_NK(), l.y_TN(), Store::kWrite);
}

// The results of the backward products go to buffers of their own: operands stay as they are.
Status grad_input(const numerics::Engine& engine, Layer& l) {
  static std::vector<float> dx;
  dx.resize(l.x.size());
  return linear_grad_input(engine, l.y_TN(), l.w_NK(), {dx.data(), l.shape.rows, l.shape.inputs},
                           Store::kWrite);
}

Status grad_weight(const numerics::Engine& engine, Layer& l) {
  static std::vector<float> dw;
  dw.resize(l.w.size());
  return linear_grad_weight(engine, l.y_TN(), l.x_TK(),
                            {dw.data(), l.shape.outputs, l.shape.inputs}, Store::kWrite);
}

void run(benchmark::State& state, numerics::Isa isa, const ProductShape& shape, Product product) {
  const KernelMachine machine = kernel_machine(isa, 1);
  Layer layer(shape);
  for (auto _ : state) {
    if (!product(machine.engine, layer)) state.SkipWithError("the product is not finite");
  }
  state.counters["flop"] =
      benchmark::Counter(shape.operations(), benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

void add_products() {
  const std::pair<const char*, Product> products[] = {
      {"product", forward}, {"product_dx", grad_input}, {"product_dw", grad_weight}};
  for (const numerics::Isa isa : numerics::available_isas()) {
    for (const ProductShape& shape : kProductShapes) {
      for (const auto& [subject, product] : products) {
        benchmark::RegisterBenchmark(
            benchmark_name(subject, isa, shape.name()).c_str(),
            [=, product = product](benchmark::State& state) { run(state, isa, shape, product); })
            ->Unit(benchmark::kMillisecond)
            ->UseRealTime();
      }
    }
  }
}

}  // namespace aftune::bench
