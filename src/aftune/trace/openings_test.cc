// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/openings.h"

#include <gtest/gtest.h>

#include "aftune/trace/finished_run_testing.h"
#include "aftune/trace/state_view.h"

namespace aftune::trace {
namespace {

using testing::must;
using testing::RunCopy;

TEST(Openings, OpenEveryListOfARun) {
  const RunCopy copy;
  const Openings openings = copy.openings();
  const Timeline timeline = copy.timeline();
  for (std::uint64_t step = 0; step < timeline.steps(); ++step) {
    EXPECT_EQ(must(openings.step_list(step)).rows.size(), 3U);
  }
  for (std::uint64_t j = 0; j <= timeline.step_blocks(); ++j) {
    for (std::uint32_t i = 0; i < timeline.layer_blocks(); ++i) {
      EXPECT_TRUE(openings.state_list(i, j));
    }
  }
  EXPECT_EQ(must(openings.close_list()).files.size(), 4U);
}

TEST(Openings, OpenTheBaseAndStoredStates) {
  const RunCopy copy;
  const Openings openings = copy.openings();
  for (const std::uint64_t j : {0U, 1U, 2U}) {
    const auto state = must(openings.state(1, j));
    const auto list = must(openings.state_list(1, j));
    const auto tensors = state_tensors(copy.job.contract(), 1);
    for (std::size_t k = 0; k < tensors.size(); ++k) {
      EXPECT_EQ(crypto::blake3(state_view(state, tensors[k]).bytes), list.digests[k]);
    }
  }
}

TEST(Openings, OpenEveryEdge) {
  const RunCopy copy;
  const Openings openings = copy.openings();
  const auto list = must(openings.step_list(2));
  const auto places = edge_places(copy.job.contract(), 2);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Tensor edge = must(openings.edge(places[i], list, i));
    EXPECT_EQ(edge.shape(), places[i].shape);
    EXPECT_EQ(crypto::blake3(edge.bytes()), list.edges[i]);
  }
}

TEST(Openings, AMissingListIsNotFoundAndItsPlaceIsNamed) {
  const RunCopy copy;
  std::filesystem::remove(copy.list_of(copy.timeline().position_of_step(3)));
  const auto list = copy.openings().step_list(3);
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().code, Code::kNotFound);
  EXPECT_NE(list.error().what.find("list of step 3"), std::string::npos) << list.error().what;
}

TEST(Openings, AnAlteredListIsCorrupt) {
  const RunCopy copy;
  testing::flip_bit(copy.list_of(copy.timeline().position_of_close()), 30);
  const auto list = copy.openings().close_list();
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().code, Code::kCorrupt);
}

TEST(Openings, AListOfAnotherPlaceIsRefused) {
  RunCopy copy;
  const Timeline timeline = copy.timeline();
  const std::string other = testing::get(copy.list_of(timeline.position_of_step(2)));
  copy.set_list(timeline.position_of_step(3), other);
  const auto list = copy.openings().step_list(3);
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().code, Code::kInvalidInput);
}

TEST(Openings, WhatTheLogDoesNotHoldYetIsNotFound) {
  RunCopy copy;
  copy.entries.resize(4);
  const auto list = copy.openings().step_list(3);
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().code, Code::kNotFound);
  EXPECT_NE(list.error().what.find("the log has 4 entries"), std::string::npos);
}

TEST(Openings, AMissingOrAlteredEdgeIsTold) {
  const RunCopy copy;
  const auto list = must(copy.openings().step_list(2));
  const auto places = edge_places(copy.job.contract(), 2);
  testing::flip_bit(copy.object(list.edges[1]), 5);
  const auto altered = copy.openings().edge(places[1], list, 1);
  ASSERT_FALSE(altered);
  EXPECT_EQ(altered.error().code, Code::kCorrupt);
  EXPECT_NE(altered.error().what.find("activation at edge 2, step 2, micro-batch 0"),
            std::string::npos);
  std::filesystem::remove(copy.object(list.edges[1]));
  EXPECT_EQ(copy.openings().edge(places[1], list, 1).error().code, Code::kNotFound);
}

TEST(Openings, AnObjectOfAnotherSizeIsCorrupt) {
  const RunCopy copy;
  auto list = must(copy.openings().step_list(2));
  const auto places = edge_places(copy.job.contract(), 2);
  list.edges[0] = testing::TinyJob::put_object(copy.run, "short");
  const auto edge = copy.openings().edge(places[0], list, 0);
  ASSERT_FALSE(edge);
  EXPECT_EQ(edge.error().code, Code::kCorrupt);
  EXPECT_NE(edge.error().what.find("has 5 bytes"), std::string::npos);
}

TEST(Openings, ABaseThatIsNotTheCommittedOneIsCorrupt) {
  const RunCopy copy;
  const Path weights = copy.run.base() / "model.safetensors";
  testing::flip_bit(weights, must(aftune::file_size(weights)) - 1);
  bool corrupt = false;
  for (std::uint32_t block = 0; block < 2; ++block) {
    const auto state = copy.openings().state(block, 0);
    if (!state) corrupt = corrupt || state.error().code == Code::kCorrupt;
  }
  EXPECT_TRUE(corrupt);
}

TEST(Openings, NeedAStore) {
  const RunCopy copy;
  std::filesystem::remove_all(copy.run.store());
  EXPECT_EQ(Openings::open(copy.run, copy.job.contract(), copy.entries).error().code,
            Code::kNotFound);
}

}  // namespace
}  // namespace aftune::trace
