// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/timeline.h"

#include <gtest/gtest.h>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using testing::tiny_contract;

/// docs/formats/entries.md, "Order", word by word.
std::vector<Place> stated_order(std::uint64_t steps, std::uint64_t steps_per_block,
                                std::uint32_t blocks) {
  std::vector<Place> out{{EntryKind::kContract, 0, 0, 0}};
  const auto states = [&](std::uint64_t step_block) {
    for (std::uint32_t i = 0; i < blocks; ++i) out.push_back({EntryKind::kState, i, step_block, 0});
  };
  states(0);
  std::uint64_t step = 0;
  for (std::uint64_t j = 0; step < steps; ++j) {
    for (std::uint64_t k = 0; k < steps_per_block && step < steps; ++k, ++step) {
      out.push_back({EntryKind::kStep, 0, 0, step});
    }
    states(j + 1);
  }
  out.push_back({EntryKind::kClose, 0, 0, 0});
  return out;
}

/// Calls `check` for every small grid.
template <typename Check>
void for_all_grids(const Check& check) {
  Contract contract = tiny_contract();
  for (std::uint32_t layers = 1; layers <= 4; ++layers) {
    for (std::uint32_t per_block = 1; per_block <= layers; ++per_block) {
      for (contract.steps = 1; contract.steps <= 9; ++contract.steps) {
        for (std::uint64_t each = 1; each <= contract.steps + 1; ++each) {
          for (std::uint64_t interval = 1; interval <= 4; ++interval) {
            contract.architecture.layer_count = layers;
            contract.grid = {per_block, each, interval, 1};
            check(contract, Timeline(contract));
          }
        }
      }
    }
  }
}

TEST(Timeline, IsTheStatedOrderForAllSmallGrids) {
  for_all_grids([](const Contract& contract, const Timeline& timeline) {
    const auto order = stated_order(contract.steps, contract.grid.steps_per_block,
                                    contract.partition().block_count);
    ASSERT_EQ(timeline.entry_count(), order.size());
    for (std::uint64_t i = 0; i < order.size(); ++i) ASSERT_EQ(timeline.at(i), order[i]) << i;
    ASSERT_EQ(timeline.step_blocks(), contract.step_block_count());
  });
}

TEST(Timeline, PositionsAreTheInverseOfPlaces) {
  for_all_grids([](const Contract& contract, const Timeline& timeline) {
    std::uint64_t places = 2;  // contract and close
    for (std::uint64_t step = 0; step < contract.steps; ++step, ++places) {
      ASSERT_EQ(timeline.at(timeline.position_of_step(step)),
                (Place{EntryKind::kStep, 0, 0, step}));
    }
    for (std::uint64_t j = 0; j <= timeline.step_blocks(); ++j) {
      for (std::uint32_t i = 0; i < timeline.layer_blocks(); ++i, ++places) {
        ASSERT_EQ(timeline.at(timeline.position_of_state(i, j)),
                  (Place{EntryKind::kState, i, j, 0}));
      }
    }
    ASSERT_EQ(timeline.at(timeline.position_of_close()).kind, EntryKind::kClose);
    ASSERT_EQ(places, timeline.entry_count());
  });
}

TEST(Timeline, StepBlocksCoverEachStepOnce) {
  for_all_grids([](const Contract& contract, const Timeline& timeline) {
    std::uint64_t next = 0;
    for (std::uint64_t j = 0; j < timeline.step_blocks(); ++j) {
      ASSERT_EQ(timeline.first_step(j), next);
      ASSERT_GT(timeline.last_step(j), next);
      next = timeline.last_step(j);
    }
    ASSERT_EQ(next, contract.steps);
  });
}

TEST(Timeline, StatesAreStoredAtMultiplesOfTheIntervalInside) {
  for_all_grids([](const Contract& contract, const Timeline& timeline) {
    std::uint64_t newest = 0;
    for (std::uint64_t j = 0; j <= timeline.step_blocks() + 1; ++j) {
      const bool inside = j > 0 && j < timeline.step_blocks();
      ASSERT_EQ(timeline.stored(j), inside && j % contract.grid.state_interval == 0) << j;
      if (timeline.stored(j)) newest = j;
      ASSERT_EQ(timeline.stored_before(j), newest) << j;
    }
  });
}

/// The stored edges of `layers` layers, one a block, as a list.
std::vector<std::uint32_t> stored_edges(std::uint32_t layers, bool tied, std::uint32_t interval) {
  Contract contract = tiny_contract();
  contract.architecture.layer_count = layers;
  contract.architecture.tied_embeddings = tied;
  contract.grid.layers_per_block = 1;
  contract.grid.edge_interval = interval;
  const Timeline timeline(contract);
  std::vector<std::uint32_t> out;
  for (std::uint32_t e = 1; e < contract.partition().segments.size(); ++e) {
    if (timeline.edge_stored(e)) out.push_back(e);
  }
  return out;
}

TEST(Timeline, EdgesAreStoredAtMultiplesOfTheIntervalAndBelowATiedHead) {
  using Edges = std::vector<std::uint32_t>;
  EXPECT_EQ(stored_edges(4, false, 1), (Edges{1, 2, 3}));
  EXPECT_EQ(stored_edges(4, true, 1), (Edges{1, 2, 3, 4}));
  EXPECT_EQ(stored_edges(5, false, 2), (Edges{2, 4}));
  EXPECT_EQ(stored_edges(5, true, 2), (Edges{2, 4, 5}));
  EXPECT_EQ(stored_edges(6, false, 3), (Edges{3}));
  EXPECT_EQ(stored_edges(6, true, 3), (Edges{3, 6}));
  EXPECT_EQ(stored_edges(5, false, 5), Edges{}) << "the whole model is one band";
  EXPECT_EQ(stored_edges(5, true, 65536), Edges{5});
  EXPECT_EQ(stored_edges(1, true, 4), Edges{1});
}

TEST(TimelineDeathTest, APositionBehindTheCloseIsABug) {
  const Timeline timeline(tiny_contract());
  EXPECT_DEATH((void)timeline.at(timeline.entry_count()), "outside the log");
}

}  // namespace
}  // namespace aftune::trace
