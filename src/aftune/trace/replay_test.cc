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

/// What a list commits to beside the honest objects, each value for itself.
TEST(Replayer, EachValueOfAListIsCompared) {
  const std::uint32_t last_edge = 2;  // its gradient is made by block 0, which has the tied head
  struct Lie {
    MismatchKind kind;
    std::function<void(StepList&, const std::vector<EdgePlace>&)> tell;
  };
  const auto change_edge = [](train::EdgeKind kind, std::uint32_t edge) {
    return [kind, edge](StepList& list, const std::vector<EdgePlace>& places) {
      for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i].id.kind == kind && places[i].id.edge == edge) {
          list.edges[i] = testing::digest_of("another edge");
        }
      }
    };
  };
  const Lie lies[] = {
      {MismatchKind::kActivation, change_edge(train::EdgeKind::kActivation, 1)},
      {MismatchKind::kGradient, change_edge(train::EdgeKind::kGradient, last_edge)},
      {MismatchKind::kLoss, [](StepList& list, const auto&) { list.losses[1] += 1; }},
      {MismatchKind::kSquares,
       [](StepList& list, const auto&) { list.squares.begin()->second *= 2; }}};
  for (const Lie& lie : lies) {
    RunCopy copy;
    const Contract& contract = copy.job.contract();
    StepList list = must(copy.openings().step_list(4));  // the one step of the last step block
    lie.tell(list, edge_places(contract, 4));
    copy.set_list(copy.timeline().position_of_step(4), encode_list(contract, 4, list));
    std::vector<Mismatch> found = replay(copy, 0, 2);
    if (found.empty()) found = replay(copy, 1, 2);
    ASSERT_FALSE(found.empty()) << static_cast<int>(lie.kind);
    EXPECT_EQ(found[0].kind, lie.kind) << found[0].what;
  }
}

TEST(Replayer, AStepThatLeavesTheFiniteNumbersCannotHaveEnded) {
  const RunCopy copy;
  const auto mismatches = replay(copy, 0, 1, [](train::BlockState& state) {
    for (auto& [name, tensor] : state.parameters) {
      if (name.find("down_proj") != std::string::npos) {
        for (float& value : tensor.f32()) value = 0x1p127F;
      }
    }
  });
  ASSERT_FALSE(mismatches.empty());
  EXPECT_EQ(mismatches.back().kind, MismatchKind::kNonFinite) << mismatches.back().what;
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
