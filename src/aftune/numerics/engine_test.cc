// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/engine.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace aftune::numerics {
namespace {

TEST(Engine, NamesOfInstructionSetsRoundTrip) {
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    EXPECT_EQ(isa_of(isa_name(isa)), isa);
  }
  for (const char* lie : {"", "AVX2", "avx", "avx512 ", "neon"}) EXPECT_FALSE(isa_of(lie)) << lie;
}

TEST(Engine, EveryMachineRunsTheReference) {
  const std::vector<Isa> available = available_isas();
  ASSERT_FALSE(available.empty());
  EXPECT_EQ(available.front(), Isa::kScalar);
  EXPECT_TRUE(std::is_sorted(available.begin(), available.end()));
}

TEST(Engine, TakesTheFastestUnlessAsked) {
  ThreadPool pool(1);
  const auto fastest = Engine::create(std::nullopt, pool);
  ASSERT_TRUE(fastest) << fastest.error().what;
  EXPECT_EQ(fastest->isa(), available_isas().back());
  EXPECT_EQ(&fastest->pool(), &pool);
  for (const Isa isa : available_isas()) {
    const auto engine = Engine::create(isa, pool);
    ASSERT_TRUE(engine) << engine.error().what;
    EXPECT_EQ(engine->isa(), isa);
  }
}

TEST(Engine, RefusesAnInstructionSetThatIsNotHere) {
  const std::vector<Isa> available = available_isas();
  ThreadPool pool(1);
  for (const Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
    if (std::find(available.begin(), available.end(), isa) != available.end()) continue;
    const auto engine = Engine::create(isa, pool);
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, Code::kUnsupported);
    EXPECT_NE(engine.error().what.find(isa_name(isa)), std::string::npos);
  }
}

}  // namespace
}  // namespace aftune::numerics
