// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "aftune/audit/achieved.h"
#include "aftune/audit/audit_cost.h"
#include "aftune/audit/draw_order.h"
#include "aftune/audit/threat.h"
#include "aftune/trace/tiny_job_testing.h"

namespace aftune::audit {
namespace {

using trace::Strategy;
using trace::testing::must;

/// 10 layers in 4 layer blocks, the last ragged; 22 steps in 6 step blocks, the last ragged.
PlanGrid ragged(Strategy strategy = Strategy::kUniform) {
  PlanGrid grid = plan_grid(10, 3, 22, 4);
  grid.samples = 5;
  grid.strategy = strategy;
  return grid;
}

BadBlocks bad_of(const char* threat, const PlanGrid& grid) {
  return must(bad_blocks(must(parse_threat(threat)), grid));
}

TEST(PlanGrid, CountsRaggedBlocksAsTheyAre) {
  const PlanGrid grid = ragged();
  EXPECT_EQ(grid.layer_block_count(), 4U);
  EXPECT_EQ(grid.step_block_count(), 6U);
  EXPECT_EQ(grid.block_count(), 24U);
  EXPECT_EQ(grid.layer_blocks[2].layers, 3U);
  EXPECT_EQ(grid.layer_blocks[3].layers, 1U);
}

TEST(PlanGrid, OfAContractIsTheContractsGrid) {
  const trace::Contract contract = trace::testing::tiny_contract();
  const PlanGrid grid = plan_grid(contract);
  EXPECT_EQ(grid.block_count(), contract.block_count());
  EXPECT_EQ(grid.step_block_count(), contract.step_block_count());
  std::uint64_t parameters = 0;
  for (const LayerBlock& block : grid.layer_blocks) parameters += block.parameters;
  std::uint64_t expected = 0;
  for (const auto& spec : model::parameter_specs(contract.architecture)) {
    std::uint64_t count = 1;
    for (const auto extent : spec.shape) count *= extent;
    expected += count;
  }
  EXPECT_EQ(parameters, expected);
}

TEST(PlanGrid, RoundedEdgesHaveHalfTheBytes) {
  trace::Contract contract = trace::testing::tiny_contract();
  const std::uint64_t wide = plan_grid(contract).edge_bytes;
  contract.dtypes.boundary = Dtype::kBF16;
  EXPECT_EQ(2 * plan_grid(contract).edge_bytes, wide);
}

TEST(PlanGrid, ATiedHeadIsTheWorkOfTheFirstBlock) {
  trace::Contract contract = trace::testing::tiny_contract();
  const auto& config = contract.architecture;
  const std::uint64_t table = std::uint64_t{config.vocab_size} * config.hidden_size;
  contract.architecture.tied_embeddings = false;
  const PlanGrid untied = plan_grid(contract);
  contract.architecture.tied_embeddings = true;
  const PlanGrid tied = plan_grid(contract);
  EXPECT_EQ(tied.layer_blocks[0].work, untied.layer_blocks[0].work + table);
  EXPECT_EQ(tied.layer_blocks.back().work, untied.layer_blocks.back().work - table);
  EXPECT_EQ(untied.layer_blocks[0].inner_edges, 1U);
  EXPECT_EQ(untied.layer_blocks.back().inner_edges, 1U);
  EXPECT_EQ(tied.layer_blocks[0].inner_edges, 2U);
  EXPECT_EQ(tied.layer_blocks.back().inner_edges, 2U);
}

TEST(Threat, ReadsWhatItSpells) {
  for (const char* text :
       {"blocks=3", "edited-state=1", "activation=2", "steps-skipped=0.5", "samples-poisoned=0.1",
        "layers-replaced=3", "parameters-edited=0.2", "model-swapped", "everywhere"}) {
    EXPECT_EQ(spell_threat(must(parse_threat(text))), text);
  }
}

TEST(Threat, RefusesWhatItDoesNotKnow) {
  const std::pair<const char*, const char*> cases[] = {
      {"theft", "known: blocks=COUNT"},       {"", "known: "},
      {"Blocks=1", "is no threat"},           {"blocks", "needs a count from 1"},
      {"blocks=", "needs a count from 1"},    {"blocks=0", "needs a count from 1"},
      {"blocks=-1", "needs a count from 1"},  {"blocks=1.5", "needs a count from 1"},
      {"blocks= 1", "needs a count from 1"},  {"steps-skipped", "needs a share"},
      {"steps-skipped=0", "needs a share"},   {"steps-skipped=1.01", "needs a share"},
      {"steps-skipped=nan", "needs a share"}, {"steps-skipped=50%", "needs a share"},
      {"model-swapped=1", "takes no value"},
  };
  for (const auto& [text, names] : cases) {
    const auto threat = parse_threat(text);
    ASSERT_FALSE(threat) << text;
    EXPECT_EQ(threat.error().code, Code::kInvalidInput);
    EXPECT_NE(threat.error().what.find(names), std::string::npos) << threat.error().what;
  }
}

TEST(Threat, MakesTheFewestBadBlocksOfItsPage) {
  const PlanGrid grid = ragged();
  const std::pair<const char*, std::uint64_t> cases[] = {
      {"blocks=3", 3},
      {"edited-state=1", 1},
      {"activation=24", 24},
      {"steps-skipped=0.01", 4},    // one step: one step block of all layers
      {"steps-skipped=0.5", 12},    // 11 steps: three step blocks
      {"steps-skipped=1", 24},      // 22 steps: all six, the last ragged
      {"samples-poisoned=0.1", 1},  // 11 of 110 samples, 20 a step block
      {"samples-poisoned=0.2", 2},  // 22
      {"samples-poisoned=1", 6},
      {"layers-replaced=3", 6},
      {"layers-replaced=4", 12},
      {"layers-replaced=10", 24},
      {"parameters-edited=0.3", 1},
      {"parameters-edited=0.31", 2},
      {"parameters-edited=1", 4},
      {"model-swapped", 4},
      {"everywhere", 24},
  };
  for (const auto& [threat, count] : cases) {
    EXPECT_EQ(count_of(bad_of(threat, grid)), count) << threat;
  }
}

TEST(Threat, LiesWhereTheStrategyFindsItLast) {
  EXPECT_EQ(bad_of("blocks=6", ragged(Strategy::kStratified)), (BadBlocks{2, 2, 1, 1}));
  EXPECT_EQ(bad_of("blocks=7", ragged(Strategy::kInputBlocks)), (BadBlocks{0, 0, 1, 6}));
  EXPECT_EQ(bad_of("blocks=20", ragged(Strategy::kInputBlocks)), (BadBlocks{2, 6, 6, 6}));
  EXPECT_EQ(bad_of("layers-replaced=1", ragged()), (BadBlocks{0, 6, 0, 0}));
  EXPECT_EQ(bad_of("samples-poisoned=0.1", ragged(Strategy::kInputBlocks)),
            (BadBlocks{1, 0, 0, 0}));
  EXPECT_EQ(bad_of("parameters-edited=0.6", ragged(Strategy::kInputBlocks)),
            (BadBlocks{0, 1, 1, 0}));
}

/// No other places of `count` bad blocks are met less often.
TEST(Threat, AnywhereIsTheWorstOfAllPlaces) {
  PlanGrid grid = plan_grid(3, 1, 3, 1);
  for (const Strategy strategy :
       {Strategy::kUniform, Strategy::kStratified, Strategy::kInputBlocks}) {
    grid.strategy = strategy;
    for (std::uint64_t count = 1; count <= 9; ++count) {
      const BadBlocks told = must(bad_blocks({ThreatKind::kBlocks, 0, count}, grid));
      for (std::uint64_t m = 0; m <= 9; ++m) {
        const double missed = missed_probability(strategy, 3, told, m);
        for (std::uint64_t code = 0; code < 64; ++code) {
          const BadBlocks other = {code % 4, code / 4 % 4, code / 16};
          if (count_of(other) != count) continue;
          EXPECT_LE(missed_probability(strategy, 3, other, m), missed + 1e-12)
              << strategy_name(strategy) << " " << count << " " << m << " at " << code;
        }
      }
    }
  }
}

TEST(Threat, MoreThanThereIsIsNamed) {
  const auto blocks = bad_blocks({ThreatKind::kBlocks, 0, 25}, ragged());
  ASSERT_FALSE(blocks);
  EXPECT_EQ(blocks.error().what, "25 bad blocks, the grid has 24 blocks");
  const auto layers = bad_blocks({ThreatKind::kLayersReplaced, 0, 11}, ragged());
  ASSERT_FALSE(layers);
  EXPECT_EQ(layers.error().what, "11 layers replaced, the model has 10 layers");
}

/// What the audits of 1000 real draws cost on the mean, by walking each.
AuditCost cost_by_drawing(const PlanGrid& grid, std::uint64_t blocks) {
  constexpr int kDraws = 1000;
  AuditCost sum;
  const ByteBuffer secret(32, 3);
  std::uint64_t work = 0;
  for (const LayerBlock& block : grid.layer_blocks) work += block.work;
  for (int k = 0; k < kDraws; ++k) {
    auto order = draw_order(secret, std::to_string(k), grid.layer_block_count(),
                            grid.step_block_count(), {grid.strategy, {}});
    order.resize(blocks);
    for (std::uint64_t j = 0; j < grid.step_block_count(); ++j) {
      const std::uint64_t next = (j / grid.state_interval + 1) * grid.state_interval;
      const std::uint64_t steps =
          std::min(grid.steps, (j + 1) * grid.steps_per_block) - j * grid.steps_per_block;
      for (std::uint32_t i = 0; i < grid.layer_block_count(); ++i) {
        const bool replayed = std::any_of(order.begin(), order.end(), [&](const BlockIndex& b) {
          return b.layer_block / grid.edge_interval == i / grid.edge_interval &&
                 b.step_block >= j && b.step_block < next;
        });
        if (!replayed) continue;
        sum.replays += 1;
        sum.steps +=
            static_cast<double>(steps * grid.layer_blocks[i].work) / static_cast<double>(work);
      }
    }
  }
  return {sum.replays / kDraws, sum.steps / kDraws, 0};
}

TEST(AuditCost, IsTheMeanOverRealDraws) {
  for (const Strategy strategy :
       {Strategy::kUniform, Strategy::kStratified, Strategy::kInputBlocks}) {
    for (const auto& [states, edges] : {std::pair{1U, 1U}, {4U, 1U}, {4U, 2U}, {9U, 3U}}) {
      PlanGrid grid = ragged(strategy);
      grid.state_interval = states;
      grid.edge_interval = edges;
      const AuditCost told = expected_cost(grid, 5), seen = cost_by_drawing(grid, 5);
      EXPECT_NEAR(told.replays, seen.replays, 0.04 * seen.replays);
      EXPECT_NEAR(told.steps, seen.steps, 0.04 * seen.steps);
    }
  }
}

TEST(AuditCost, OfAllBlocksIsTheWholeRun) {
  const trace::Contract contract = trace::testing::tiny_contract();
  PlanGrid grid = plan_grid(contract);
  const AuditCost cost = expected_cost(grid, grid.block_count());
  EXPECT_NEAR(cost.replays, static_cast<double>(grid.block_count()), 1e-9);
  EXPECT_NEAR(cost.steps, static_cast<double>(contract.steps), 1e-9);
  double parameters = 0, edges = 0;
  for (const LayerBlock& block : grid.layer_blocks) {
    parameters += static_cast<double>(block.parameters);
    edges += static_cast<double>(block.inner_edges);
  }
  const double starts = static_cast<double>(grid.step_block_count());
  EXPECT_NEAR(cost.bytes,
              parameters * 4 * (1 + 3 * (starts - 1)) +  // the first states are the base
                  edges * static_cast<double>(grid.edge_bytes * contract.steps),
              1e-3);
}

TEST(AuditCost, ABandOpensNoEdgesInsideIt) {
  PlanGrid grid = plan_grid(trace::testing::tiny_contract());
  grid.state_bytes = grid.parameter_bytes = 0;
  EXPECT_GT(expected_cost(grid, 2).bytes, 0);
  grid.edge_interval = grid.layer_block_count();
  const double tied = grid.layer_blocks[0].inner_edges == 2 ? 2 : 0;  // the head's own edge
  EXPECT_NEAR(expected_cost(grid, grid.block_count()).bytes,
              tied * static_cast<double>(grid.edge_bytes * grid.steps), 1e-6);
}

TEST(Achieved, TellsOneBlockFiveAndHalfOfTheSteps) {
  const trace::Contract contract = trace::testing::tiny_contract();  // 2 x 3 blocks, 5 steps
  const auto achieved = achieved_by(contract, 2);
  ASSERT_EQ(achieved.size(), 3U);
  EXPECT_EQ(achieved[0].threat, "blocks=1");
  EXPECT_NEAR(achieved[0].probability, 2.0 / 6, 1e-12);
  EXPECT_EQ(achieved[1].threat, "blocks=5");
  EXPECT_EQ(achieved[1].probability, 1.0);
  EXPECT_EQ(achieved[2].threat, "steps-skipped=0.5");
  EXPECT_EQ(achieved[2].bad_blocks, 4U);
  EXPECT_NEAR(achieved[2].probability, 1 - 2.0 / 6 * 1 / 5, 1e-12);
}

TEST(Achieved, FollowsTheStrategy) {
  trace::Contract contract = trace::testing::tiny_contract();
  contract.audit.strategy = Strategy::kInputBlocks;
  EXPECT_EQ(achieved_by(contract, 3)[0].probability, 0.0);
  contract.audit.strategy = Strategy::kStateChanges;
  EXPECT_NEAR(achieved_by(contract, 2)[0].probability, 1.0 / 6, 1e-12);
}

}  // namespace
}  // namespace aftune::audit
