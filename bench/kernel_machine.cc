// SPDX-License-Identifier: Apache-2.0
#include "bench/kernel_machine.h"

#include <cstdio>
#include <cstdlib>
#include <random>

namespace aftune::bench {

KernelMachine kernel_machine(numerics::Isa isa, unsigned thread_count) {
  auto pool = std::make_unique<ThreadPool>(thread_count);
  auto engine = numerics::Engine::create(isa, *pool);
  if (!engine) {
    std::fprintf(stderr, "aftune_bench: %s\n", engine.error().what.c_str());
    std::exit(3);
  }
  return {std::move(pool), *std::move(engine)};
}

std::string benchmark_name(const char* subject, numerics::Isa isa, const std::string& rest) {
  return std::string(subject) + "/" + std::string(numerics::isa_name(isa)) + "/" + rest;
}

std::vector<float> normal_values(std::size_t count, unsigned seed) {
  std::mt19937 source(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(source);
  return values;
}

}  // namespace aftune::bench
