// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/replay.h"

#include <gtest/gtest.h>

#include "aftune/trace/finished_run_testing.h"

namespace aftune::trace {
namespace {

using testing::must;
using testing::RunCopy;

std::vector<Mismatch> replay(const RunCopy& copy, std::uint32_t block, std::uint64_t step_block,
                             const std::function<void(train::BlockState&)>& change = {}) {
  SideInputs inputs = must(SideInputs::open(copy.job.contract(), copy.run.data(), copy.run.base()));
  const Openings openings = copy.openings();
  Replayer replayer(copy.job.contract(), testing::test_engine(), inputs, openings);
  train::BlockState state = must(openings.state(block, step_block));
  if (change) change(state);
  return must(replayer.replay(block, step_block, state));
}

TEST(Replayer, EveryBlockOfAnHonestRunIsEqualInEveryBit) {
  const RunCopy copy;
  for (std::uint32_t block = 0; block < 2; ++block) {
    for (std::uint64_t j = 0; j < 3; ++j) EXPECT_TRUE(replay(copy, block, j).empty());
  }
}

TEST(Replayer, ReplaysIntoTheNextState) {
  const RunCopy copy;
  SideInputs inputs = must(SideInputs::open(copy.job.contract(), copy.run.data(), copy.run.base()));
  const Openings openings = copy.openings();
  Replayer replayer(copy.job.contract(), testing::test_engine(), inputs, openings);
  train::BlockState state = must(openings.state(1, 0));
  ASSERT_TRUE(must(replayer.replay(1, 0, state)).empty());
  const train::BlockState next = must(openings.state(1, 1));
  for (const auto& [name, tensor] : next.second) {
    EXPECT_TRUE(std::ranges::equal(tensor.bytes(), state.second.at(name).bytes())) << name;
  }
}

TEST(Replayer, OneBitOfAMomentIsFoundInTheNextState) {
  const RunCopy copy;
  std::string name;
  const auto mismatches = replay(copy, 1, 2, [&](train::BlockState& state) {  // of one step
    name = state.second.begin()->first;
    state.second.begin()->second.mutable_bytes()[3] ^= 0x20;
  });
  ASSERT_FALSE(mismatches.empty());
  EXPECT_EQ(mismatches[0].kind, MismatchKind::kState);
  EXPECT_EQ(mismatches[0].block, 1U);
  EXPECT_EQ(mismatches[0].step_block, 2U);
  EXPECT_NE(mismatches[0].what.find(name), std::string::npos);
  EXPECT_NE(mismatches[0].committed, mismatches[0].recomputed);
  EXPECT_FALSE(mismatches[0].values) << "the last state is committed, not stored";
}

TEST(Replayer, AnotherWeightIsFoundInTheFirstStepsActivation) {
  const RunCopy copy;
  const auto mismatches = replay(copy, 0, 1, [](train::BlockState& state) {
    for (auto& [name, tensor] : state.parameters) {
      if (name.find("down_proj") != std::string::npos) tensor.f32()[0] += 0.5F;
    }
  });
  ASSERT_FALSE(mismatches.empty());
  EXPECT_EQ(mismatches[0].kind, MismatchKind::kActivation);
  EXPECT_EQ(mismatches[0].step, 2U);
  EXPECT_NE(mismatches[0].what.find("activation at edge 1, step 2, micro-batch 0"),
            std::string::npos);
  ASSERT_TRUE(mismatches[0].values);
  EXPECT_GE(mismatches[0].values->count, 1U);
  EXPECT_NE(mismatches[0].values->committed, mismatches[0].values->recomputed);
  for (const Mismatch& mismatch : mismatches) EXPECT_EQ(mismatch.step, 2U) << "stops at the step";
}

TEST(Replayer, AMissingEdgeIsAnErrorNotAMismatch) {
  const RunCopy copy;
  const auto list = must(copy.openings().step_list(0));
  std::filesystem::remove(copy.object(list.edges[0]));  // enters segment 1, of block 1
  SideInputs inputs = must(SideInputs::open(copy.job.contract(), copy.run.data(), copy.run.base()));
  const Openings openings = copy.openings();
  Replayer replayer(copy.job.contract(), testing::test_engine(), inputs, openings);
  train::BlockState state = must(openings.state(1, 0));
  const auto mismatches = replayer.replay(1, 0, state);
  ASSERT_FALSE(mismatches);
  EXPECT_EQ(mismatches.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace aftune::trace
