// SPDX-License-Identifier: Apache-2.0
// Every function of one fp32 number on all 2^32 of them, in every kernel set. Takes minutes each:
// tools/nightly runs it, no other test run does.
#include <gtest/gtest.h>

#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/one_input_testing.h"
#include "aftune/numerics/internal/test_engines.h"

namespace aftune::numerics {
namespace {

constexpr std::uint64_t kInputs = std::uint64_t{1} << 32;
constexpr std::uint64_t kChunk = std::uint64_t{1} << 16;

class EveryInput : public testing::TestWithParam<OneInputFunction> {};

/// The engines of every set but the scalar one.
std::vector<Engine> other_engines(ThreadPool& pool) {
  std::vector<Engine> engines;
  for (const Isa isa : available_isas()) {
    if (isa == Isa::kScalar) continue;
    auto engine = Engine::create(isa, pool);
    EXPECT_TRUE(engine) << engine.error().what;
    if (engine) engines.push_back(*std::move(engine));
  }
  return engines;
}

TEST_P(EveryInput, HasTheScalarBitsInEverySet) {
  ThreadPool pool(1);
  const std::vector<Engine> engines = other_engines(pool);
  if (engines.empty()) GTEST_SKIP() << "this machine has the scalar kernels only";
  const auto run = GetParam().run;
  std::vector<float> inputs(kChunk), expected(kChunk), got(kChunk);
  for (std::uint64_t first = 0; first < kInputs; first += kChunk) {
    for (std::uint64_t i = 0; i < kChunk; ++i) {
      inputs[i] = std::bit_cast<float>(static_cast<std::uint32_t>(first + i));
    }
    run(kScalarElementwiseKernels, inputs.data(), kChunk, expected.data());
    for (const Engine& engine : engines) {
      run(engine.kernels().elementwise, inputs.data(), kChunk, got.data());
      const std::size_t index = first_difference(expected, got);
      ASSERT_EQ(index, kChunk) << inputs[index] << ", " << isa_name(engine.isa());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Of, EveryInput, testing::ValuesIn(kOneInputFunctions),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace aftune::numerics
