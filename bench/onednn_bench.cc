// SPDX-License-Identifier: Apache-2.0
// oneDNN's matmul in fp32 and bf16 on the shapes of product_bench.cc, weights as they lie, one
// thread (OMP_NUM_THREADS=1, which tools/bench sets).
#include <benchmark/benchmark.h>

#include <oneapi/dnnl/dnnl.hpp>

#include "bench/kernel_machine.h"
#include "bench/subjects.h"

namespace aftune::bench {
namespace {

using dnnl::memory;

/// `values` in the type that `type` names.
memory filled(const dnnl::engine& engine, const memory::desc& desc, std::vector<float>& values) {
  memory::desc plain = desc;
  plain.data.data_type = dnnl_f32;
  memory source(plain, engine, values.data());
  memory target(desc, engine);
  dnnl::stream stream(engine);
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
  return target;
}

void run(benchmark::State& state, const ProductShape& s, memory::data_type type) {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const auto t = static_cast<memory::dim>(s.rows), n = static_cast<memory::dim>(s.outputs),
             k = static_cast<memory::dim>(s.inputs);
  const memory::desc x_TK({t, k}, type, memory::format_tag::ab);
  const memory::desc w_KN({k, n}, type, memory::format_tag::ba);  // [N, K] in memory
  const memory::desc y_TN({t, n}, type, memory::format_tag::ab);
  std::vector<float> x_values = normal_values(s.rows * s.inputs, 1);
  std::vector<float> w_values = normal_values(s.outputs * s.inputs, 2);
  const memory x = filled(engine, x_TK, x_values), w = filled(engine, w_KN, w_values);
  const memory y(y_TN, engine);
  const dnnl::matmul product(
      dnnl::matmul::primitive_desc(dnnl::matmul::desc(x_TK, w_KN, y_TN), engine));
  for (auto _ : state) {
    product.execute(stream, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, y}});
    stream.wait();
  }
  state.counters["flop"] =
      benchmark::Counter(s.operations(), benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

void add_onednn() {
  const std::pair<const char*, memory::data_type> types[] = {
      {"onednn_fp32/", memory::data_type::f32}, {"onednn_bf16/", memory::data_type::bf16}};
  for (const ProductShape& shape : kProductShapes) {
    for (const auto& [subject, type] : types) {
      benchmark::RegisterBenchmark(
          (subject + shape.name()).c_str(),
          [=, type = type](benchmark::State& state) { run(state, shape, type); })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  }
}

}  // namespace aftune::bench
