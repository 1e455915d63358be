// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share: engines and values.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "aftune/base/thread_pool.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/internal/elementwise_probes.h"

namespace aftune::numerics {

/// Calls `body(engine, name)` for every available instruction set, each with 1, 2, 3 and 5
/// threads; the scalar set with one thread comes first.
template <typename Body>
void for_each_engine(const Body& body) {
  for (const Isa isa : available_isas()) {
    for (const unsigned threads : {1u, 2u, 3u, 5u}) {
      ThreadPool pool(threads);
      const auto engine = Engine::create(isa, pool);
      ASSERT_TRUE(engine) << engine.error().what;
      body(*engine, std::string(isa_name(isa)) + ", " + std::to_string(threads) + " threads");
    }
  }
}

/// Calls `body(engine)` with the scalar kernels and one thread.
template <typename Body>
void with_scalar_engine(const Body& body) {
  ThreadPool pool(1);
  const auto engine = Engine::create(Isa::kScalar, pool);
  ASSERT_TRUE(engine) << engine.error().what;
  body(*engine);
}

inline std::vector<float> normal_values(std::size_t count, std::uint32_t seed, float size = 1.0f) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = size * normal(generator);
  return values;
}

/// Finite values of every exponent, subnormal ones and zeros of both signs among them.
inline std::vector<float> wild_values(std::size_t count, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    do value = std::bit_cast<float>(static_cast<std::uint32_t>(generator()));
    while (!std::isfinite(value));
    if (generator() % 16 == 0) value *= 0.0f;
  }
  return values;
}

}  // namespace aftune::numerics
