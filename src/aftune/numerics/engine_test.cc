// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/engine.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace aftune::numerics {
namespace {

TEST(Engine, NamesOfInstructionSetsRoundTrip) {
  for (const Isa isa : kAllIsas) EXPECT_EQ(isa_of(isa_name(isa)), isa);
  for (const char* lie : {"", "AVX2", "avx", "avx512 ", "avx512vnni", "AMX", "amx-int8", "neon"}) {
    EXPECT_FALSE(isa_of(lie)) << lie;
  }
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
  for (const Isa isa : kAllIsas) {
    if (std::find(available.begin(), available.end(), isa) != available.end()) continue;
    const auto engine = Engine::create(isa, pool);
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, Code::kUnsupported);
    EXPECT_NE(engine.error().what.find(isa_name(isa)), std::string::npos);
    EXPECT_NE(engine.error().what.find(": " + why_unavailable(isa)), std::string::npos);
  }
}

TEST(Engine, SaysWhyAnInstructionSetIsNotHere) {
  const std::vector<Isa> available = available_isas();
  for (const Isa isa : kAllIsas) {
    const bool here = std::find(available.begin(), available.end(), isa) != available.end();
    EXPECT_EQ(why_unavailable(isa).empty(), here) << isa_name(isa) << why_unavailable(isa);
  }
}

// A kernel of ours that fails its trial or self-test must not go unseen on the one machine that
// has what it needs.
TEST(Engine, AmxIsOffOnlyForWhatTheMachineLacks) {
  const std::string why = why_unavailable(Isa::kAmx);
  for (const char* ours : {"trial", "self-test"}) {
    EXPECT_EQ(why.find(ours), std::string::npos) << why;
  }
}

TEST(Engine, EachSetNeedsTheOneBelowIt) {
  for (std::size_t i = 1; i < std::size(kAllIsas); ++i) {
    if (why_unavailable(kAllIsas[i]).empty()) {
      EXPECT_EQ(why_unavailable(kAllIsas[i - 1]), "");
    }
  }
}

}  // namespace
}  // namespace aftune::numerics
