// SPDX-License-Identifier: Apache-2.0
// Hashes by thread count. BLAKE3 shares out one long input; SHA-256 cannot, so each thread has an
// input of its own.
#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "aftune/base/thread_pool.h"
#include "aftune/crypto/blake3.h"
#include "aftune/crypto/sha256.h"
#include "bench/subjects.h"

namespace aftune::bench {
namespace {

constexpr std::size_t kInputBytes = std::size_t{256} << 20;

std::vector<std::uint8_t> some_bytes() {
  std::vector<std::uint8_t> bytes(kInputBytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 131);
  return bytes;
}

void run_blake3(benchmark::State& state, unsigned threads) {
  ThreadPool pool(threads);
  const std::vector<std::uint8_t> bytes = some_bytes();
  for (auto _ : state) benchmark::DoNotOptimize(crypto::blake3(bytes, pool));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kInputBytes));
}

void run_sha256(benchmark::State& state, unsigned threads) {
  ThreadPool pool(threads);
  const std::vector<std::uint8_t> bytes = some_bytes();
  const std::size_t part = bytes.size() / threads;
  std::vector<Digest> digests(threads);
  for (auto _ : state) {
    pool.parallel_for(threads, [&](std::size_t i) {
      digests[i] = crypto::sha256(Bytes(bytes).subspan(i * part, part));
    });
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * part * threads));
}

}  // namespace

void add_hashes() {
  for (const unsigned threads : {1U, 2U, 4U, 8U}) {
    const std::string count = std::to_string(threads);
    benchmark::RegisterBenchmark(("blake3/" + count).c_str(),
                                 [=](benchmark::State& state) { run_blake3(state, threads); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
    benchmark::RegisterBenchmark(("sha256/" + count).c_str(),
                                 [=](benchmark::State& state) { run_sha256(state, threads); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

}  // namespace aftune::bench
