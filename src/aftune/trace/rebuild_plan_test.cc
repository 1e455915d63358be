// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/rebuild_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using train::EdgeKind;

Contract grid(std::uint32_t layers, bool tied, std::uint64_t step_blocks, std::uint64_t states,
              std::uint32_t edges) {
  Contract contract = testing::tiny_contract();
  contract.architecture.layer_count = layers;
  contract.architecture.tied_embeddings = tied;
  contract.steps = step_blocks;
  contract.grid = {1, 1, states, edges};
  return contract;
}

std::vector<GridBlock> all_blocks(const Contract& contract) {
  std::vector<GridBlock> out;
  for (std::uint32_t i = 0; i < contract.partition().block_count; ++i) {
    for (std::uint64_t j = 0; j < contract.step_block_count(); ++j) out.push_back({i, j});
  }
  return out;
}

/// "0,1@2" for blocks 0 and 1 together in step block 2; "*" behind a block whose state is opened.
std::string spell(const RebuildPlan& plan) {
  std::string out;
  for (const PlannedReplay& replay : plan.replays) {
    if (!out.empty()) out += ' ';
    for (std::size_t i = 0; i < replay.blocks.size(); ++i) {
      if (i > 0) out += ',';
      out += std::to_string(replay.blocks[i]) + (replay.opened[i] ? "*" : "");
    }
    out += '@' + std::to_string(replay.step_block);
  }
  return out;
}

std::string plan_of(const Contract& contract, const std::vector<GridBlock>& blocks,
                    Asked asked = Asked::kReplay) {
  return spell(plan_rebuild(contract, contract_stock(contract), blocks, asked));
}

TEST(RebuildPlan, WhereEverythingIsStoredABlockIsReplayedAlone) {
  const Contract contract = grid(3, true, 3, 1, 1);
  EXPECT_EQ(plan_of(contract, {{1, 2}}), "1*@2");
  EXPECT_EQ(plan_of(contract, {{0, 1}}), "0*@1") << "with its tied head";
  EXPECT_EQ(plan_of(contract, {{1, 2}, {0, 0}, {1, 2}}), "0*@0 1*@2");
  EXPECT_EQ(plan_of(contract, {{1, 2}}, Asked::kInputs), "");
  EXPECT_EQ(plan_of(contract, {}), "");
}

TEST(RebuildPlan, AStateThatIsNotStoredIsMadeFromTheNewestBeforeIt) {
  const Contract contract = grid(3, false, 6, 2, 1);
  EXPECT_EQ(plan_of(contract, {{1, 5}}), "1*@4 1@5");
  EXPECT_EQ(plan_of(contract, {{1, 5}}, Asked::kInputs), "1*@4");
  EXPECT_EQ(plan_of(contract, {{1, 5}, {1, 3}}), "1*@2 1@3 1*@4 1@5");
  EXPECT_EQ(plan_of(grid(3, false, 4, 9, 1), {{2, 3}}), "2*@0 2@1 2@2 2@3");
}

TEST(RebuildPlan, ABandRunsTogether) {
  const Contract contract = grid(5, false, 3, 1, 2);
  EXPECT_EQ(plan_of(contract, {{2, 1}}), "2*,3*@1");
  EXPECT_EQ(plan_of(contract, {{4, 0}}), "4*@0") << "the ragged last band";
  EXPECT_EQ(plan_of(contract, {{0, 2}, {1, 2}, {4, 2}}), "0*,1*@2 4*@2");
  EXPECT_EQ(plan_of(contract, {{2, 1}}, Asked::kInputs), "2*,3*@1");
  EXPECT_EQ(plan_of(grid(5, false, 3, 1, 9), {{3, 1}}), "0*,1*,2*,3*,4*@1");
}

TEST(RebuildPlan, ATiedHeadDoesNotJoinTheFirstBandAndTheLast) {
  const Contract contract = grid(4, true, 2, 1, 2);
  EXPECT_EQ(plan_of(contract, {{0, 1}}), "0*,1*@1");
  EXPECT_EQ(plan_of(contract, {{3, 1}}), "2*,3*@1");
}

TEST(RebuildPlan, StatesAndEdgesAtOnce) {
  const Contract contract = grid(4, false, 4, 2, 2);
  EXPECT_EQ(plan_of(contract, {{1, 3}}), "0*,1*@2 0,1@3");
  EXPECT_EQ(plan_of(contract, {{1, 3}, {2, 0}}), "0*,1*@2 0,1@3 2*,3*@0");
}

/// The contract's stock without some of it.
struct Losses {
  std::set<GridBlock> states;
  std::set<std::pair<EdgeKind, GridBlock>> edges;  // the block is edge and step block

  [[nodiscard]] Stock of(const Contract& contract) const {
    const Stock whole = contract_stock(contract);
    return {[whole, this](std::uint32_t i, std::uint64_t j) {
              return whole.has_state(i, j) && !states.contains({i, j});
            },
            [whole, this](EdgeKind kind, std::uint32_t e, std::uint64_t j) {
              return whole.has_edge(kind, e, j) && !edges.contains({kind, {e, j}});
            }};
  }
};

TEST(RebuildPlan, ALostObjectHasOneSource) {
  const Contract contract = grid(4, true, 3, 1, 1);
  Losses losses;
  losses.states = {{2, 2}};
  losses.edges = {{EdgeKind::kActivation, {1, 0}}, {EdgeKind::kGradient, {3, 1}}};
  const Stock stock = losses.of(contract);
  const auto plan = [&](const GridBlock& block) {
    return spell(plan_rebuild(contract, stock, {block}, Asked::kReplay));
  };
  EXPECT_EQ(plan({2, 2}), "2*,3*@1 2@2") << "and what its source lacks";
  EXPECT_EQ(plan({1, 0}), "0*,1*@0");
  EXPECT_EQ(plan({0, 0}), "0*@0") << "it makes the activation and takes the gradient";
  EXPECT_EQ(plan({2, 1}), "2*,3*@1");
  EXPECT_EQ(plan({3, 1}), "3*@1");
}

/// Whether replaying exactly `set` needs nothing that is neither in the stock nor made by it.
bool suffices(const Contract& contract, const Stock& stock, const std::set<GridBlock>& set) {
  const auto segments = contract.partition().segments;
  for (const auto& [block, j] : set) {
    if (j > 0 && !stock.has_state(block, j) && !set.contains({block, j - 1})) return false;
    for (std::uint32_t s = 0; s < segments.size(); ++s) {
      if (segments[s].block != block) continue;
      if (s > 0 && !stock.has_edge(EdgeKind::kActivation, s, j) &&
          !set.contains({segments[s - 1].block, j})) {
        return false;
      }
      if (s + 1 < segments.size() && !stock.has_edge(EdgeKind::kGradient, s + 1, j) &&
          !set.contains({segments[s + 1].block, j})) {
        return false;
      }
    }
  }
  return true;
}

Losses random_losses(const Contract& contract, std::mt19937& random) {
  Losses out;
  for (const GridBlock& block : all_blocks(contract)) {
    if (random() % 4 == 0) out.states.insert(block);
    for (const EdgeKind kind : {EdgeKind::kActivation, EdgeKind::kGradient}) {
      if (random() % 4 == 0) out.edges.insert({kind, {block.layer_block + 1, block.step_block}});
    }
  }
  return out;
}

std::set<GridBlock> blocks_of(const RebuildPlan& plan) {
  std::set<GridBlock> out;
  for (const PlannedReplay& replay : plan.replays) {
    for (const std::uint32_t block : replay.blocks) {
      EXPECT_TRUE(out.insert({block, replay.step_block}).second) << "twice: " << spell(plan);
    }
  }
  return out;
}

TEST(RebuildPlan, IsTheCheapestOfAllSetsOfReplaysThatSuffice) {
  const unsigned seed = 20261123;
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    const auto pick = [&](std::uint32_t most) {
      return static_cast<std::uint32_t>(1 + random() % most);
    };
    const Contract contract = grid(pick(3), random() % 2 == 0, pick(3), pick(3), pick(3));
    const Losses losses = random_losses(contract, random);
    const Stock stock = losses.of(contract);
    const auto blocks = all_blocks(contract);
    std::vector<GridBlock> asked = {blocks[random() % blocks.size()],
                                    blocks[random() % blocks.size()]};
    const RebuildPlan plan = plan_rebuild(contract, stock, asked, Asked::kReplay);
    const std::set<GridBlock> planned = blocks_of(plan);
    ASSERT_TRUE(suffices(contract, stock, planned)) << spell(plan) << " round " << round;
    std::size_t smallest = blocks.size() + 1;
    for (std::size_t bits = 0; bits < (std::size_t{1} << blocks.size()); ++bits) {
      std::set<GridBlock> set;
      for (std::size_t b = 0; b < blocks.size(); ++b) {
        if ((bits >> b) % 2 == 1) set.insert(blocks[b]);
      }
      const bool has_asked =
          std::ranges::all_of(asked, [&](const GridBlock& at) { return set.contains(at); });
      if (has_asked && suffices(contract, stock, set)) smallest = std::min(smallest, set.size());
    }
    ASSERT_EQ(planned.size(), smallest) << spell(plan) << " round " << round << " seed " << seed;
  }
}

TEST(RebuildPlan, InputsAreThePlanOfTheBlockWithoutTheBlock) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const Contract contract = grid(3, random() % 2 == 0, 3, 1, 1);
    const Losses losses = random_losses(contract, random);
    const GridBlock block{static_cast<std::uint32_t>(random() % 3), random() % 3};
    const Stock stock = losses.of(contract);
    const auto replay = blocks_of(plan_rebuild(contract, stock, {block}, Asked::kReplay));
    auto inputs = blocks_of(plan_rebuild(contract, stock, {block}, Asked::kInputs));
    inputs.insert(block);
    ASSERT_EQ(inputs, replay) << "round " << round;
  }
}

TEST(RebuildPlan, AHandedOnStateWasMadeBefore) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    const Contract contract = grid(4, random() % 2 == 0, 4, 2, 2);
    const Losses losses = random_losses(contract, random);
    std::set<GridBlock> done;
    for (const PlannedReplay& replay :
         plan_rebuild(contract, losses.of(contract), all_blocks(contract), Asked::kReplay)
             .replays) {
      for (std::size_t i = 0; i < replay.blocks.size(); ++i) {
        const GridBlock at{replay.blocks[i], replay.step_block};
        ASSERT_TRUE(replay.opened[i] || done.contains({at.layer_block, at.step_block - 1}));
        done.insert(at);
      }
    }
    ASSERT_EQ(done.size(), 16U);
  }
}

TEST(RebuildPlan, CostsThreeProductsForEachMatrixTokenAndStep) {
  Contract contract = grid(3, true, 2, 1, 1);
  contract.steps = 5;
  contract.grid.steps_per_block = 3;
  // q and o 8 x 8, k and v 4 x 8, gate, up and down 12 x 8; embeddings 7 x 8, the head's product
  const double layer = 2 * 64 + 2 * 32 + 3 * 96, tokens = 3 * 6;
  const auto cost = [&](const GridBlock& block) {
    return plan_rebuild(contract, contract_stock(contract), {block}, Asked::kReplay).cost;
  };
  EXPECT_EQ(cost({1, 0}), 3 * layer * tokens * 3);
  EXPECT_EQ(cost({1, 1}), 3 * layer * tokens * 2) << "the last step block has two steps";
  EXPECT_EQ(cost({0, 1}), 3 * (layer + 56) * tokens * 2);
  contract.architecture.tied_embeddings = false;
  EXPECT_EQ(cost({0, 1}), 3 * layer * tokens * 2) << "an embedding is looked up";
  EXPECT_EQ(cost({2, 1}), 3 * (layer + 56) * tokens * 2) << "the head is in the last block";
}

}  // namespace
}  // namespace aftune::trace
