// SPDX-License-Identifier: Apache-2.0
// What one core can do at most with AVX-512's int8 multiply-add, or with AMX's: enough independent
// accumulators in registers, no memory. The products' share of it says how far they are from the
// machine.
#include <benchmark/benchmark.h>
#include <immintrin.h>

#include <algorithm>

#include "aftune/numerics/amx/tiles.h"
#include "aftune/numerics/engine.h"
#include "bench/subjects.h"

namespace aftune::bench {
namespace {

constexpr int kAccumulators = 16, kRounds = 1 << 16;

void run(benchmark::State& state) {
  __m512i sums[kAccumulators];
  for (int i = 0; i < kAccumulators; ++i) sums[i] = _mm512_set1_epi32(i);
  __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  for (auto _ : state) {
    for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 16
      for (int i = 0; i < kAccumulators; ++i) sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
      asm volatile("" : "+v"(a), "+v"(b));  // rounds are not folded into one
    }
  }
  __m512i total = sums[0];
  for (int i = 1; i < kAccumulators; ++i) total = _mm512_add_epi32(total, sums[i]);
  benchmark::DoNotOptimize(_mm512_reduce_add_epi32(total));
  state.counters["flop"] = benchmark::Counter(128.0 * kAccumulators * kRounds,
                                              benchmark::Counter::kIsIterationInvariantRate);
}

// As many operations as run() has: a tile product is 256 of its instructions.
void run_tiles(benchmark::State& state) {
  using numerics::Tiles;
  constexpr int kTileProducts = kAccumulators * kRounds / 256;
  Tiles::configure(numerics::kFullTiles);  // all zero
  for (auto _ : state) {
    for (int round = 0; round < kTileProducts / 4; ++round) {
      Tiles::dot<0, 4, 6>();
      Tiles::dot<1, 4, 7>();
      Tiles::dot<2, 5, 6>();
      Tiles::dot<3, 5, 7>();
    }
  }
  Tiles::release();
  state.counters["flop"] = benchmark::Counter(128.0 * kAccumulators * kRounds,
                                              benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

void add_int8_peak() {
  const auto isas = numerics::available_isas();
  const auto add = [&](numerics::Isa isa, const char* name, void (*body)(benchmark::State&)) {
    if (std::find(isas.begin(), isas.end(), isa) == isas.end()) return;
    benchmark::RegisterBenchmark(name, body)->Unit(benchmark::kMillisecond)->UseRealTime();
  };
  add(numerics::Isa::kAvx512, "int8_peak/avx512", run);
  add(numerics::Isa::kAmx, "int8_peak/amx", run_tiles);
}

}  // namespace aftune::bench
