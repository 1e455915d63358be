// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/detection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "aftune/audit/draw_order.h"

namespace aftune::audit {
namespace {

using trace::Strategy;

constexpr Strategy kAll[] = {Strategy::kUniform, Strategy::kStratified, Strategy::kInputBlocks,
                             Strategy::kStateChanges};

/// Exact: of all choices of `sampled` out of `total` blocks, those that meet none of `bad`.
double missed_by_counting(unsigned total, unsigned bad, unsigned sampled) {
  unsigned choices = 0, misses = 0;
  for (unsigned set = 0; set < 1U << total; ++set) {
    if (std::popcount(set) != static_cast<int>(sampled)) continue;
    ++choices;
    misses += (set & ((1U << bad) - 1)) == 0;
  }
  return misses / static_cast<double>(choices);
}

TEST(DetectionProbability, IsThatOfCountingAllDraws) {
  for (unsigned total = 1; total <= 9; ++total) {
    for (unsigned bad = 0; bad <= total; ++bad) {
      for (unsigned sampled = 0; sampled <= total; ++sampled) {
        EXPECT_NEAR(detection_probability(total, bad, sampled),
                    1 - missed_by_counting(total, bad, sampled), 1e-14)
            << total << " " << bad << " " << sampled;
      }
    }
  }
}

TEST(DetectionProbability, IsThatOfDrawingWithoutPuttingBack) {
  EXPECT_EQ(detection_probability(10, 0, 5), 0.0);
  EXPECT_EQ(detection_probability(10, 3, 0), 0.0);
  EXPECT_EQ(detection_probability(10, 10, 1), 1.0);
  EXPECT_EQ(detection_probability(10, 1, 10), 1.0);
  EXPECT_EQ(detection_probability(10, 6, 5), 1.0);
  EXPECT_NEAR(detection_probability(10, 1, 3), 0.3, 1e-12);
  EXPECT_NEAR(detection_probability(10, 2, 2), 1 - 8.0 / 10 * 7 / 9, 1e-12);
}

TEST(DetectionProbability, KeepsItsDigitsOnHugeGrids) {
  const std::uint64_t huge = std::uint64_t{1} << 40;
  EXPECT_NEAR(detection_probability(huge, 1, 1) * 0x1p40, 1, 1e-9);
  EXPECT_NEAR(detection_probability(huge, huge / 2, 10), 1 - 0x1p-10, 1e-9);
  EXPECT_EQ(detection_probability(huge, huge / 2, huge / 4), 1.0);
}

TEST(Missed, OfStrataIsTheMeanOfTheProductsOverWhichGiveOneMore) {
  const BadBlocks bad = {0, 3, 1};
  for (unsigned sampled = 0; sampled <= 15; ++sampled) {
    const unsigned each = sampled / 3, more = sampled % 3;
    double sum = 0, choices = 0;
    for (unsigned set = 0; set < 8; ++set) {
      if (std::popcount(set) != static_cast<int>(more)) continue;
      double product = 1;
      for (unsigned s = 0; s < 3; ++s) {
        product *= missed_by_counting(5, static_cast<unsigned>(bad[s]), each + (set >> s & 1));
      }
      sum += product;
      ++choices;
    }
    EXPECT_NEAR(missed_probability(Strategy::kStratified, 5, bad, sampled), sum / choices, 1e-14);
  }
}

TEST(Missed, OfOneStratumIsThatOfTheUniformDraw) {
  for (std::uint64_t m = 0; m <= 9; ++m) {
    EXPECT_NEAR(missed_probability(Strategy::kStratified, 9, {4}, m),
                missed_probability(Strategy::kUniform, 9, {4}, m), 1e-14);
  }
}

TEST(Missed, OfStrataIsNoneOfAWholeLayerBlockAndALittleMoreOfWholeStepBlocks) {
  const BadBlocks layer = {0, 6, 0, 0, 0, 0}, steps = {3, 3, 3, 3, 3, 3}, one = {0, 0, 1, 0, 0, 0};
  EXPECT_EQ(missed_probability(Strategy::kStratified, 6, layer, 6), 0.0);
  EXPECT_GT(missed_probability(Strategy::kUniform, 6, layer, 6), 0.3);
  EXPECT_NEAR(missed_probability(Strategy::kStratified, 6, steps, 3), 0.125, 1e-12);
  EXPECT_NEAR(missed_probability(Strategy::kUniform, 6, steps, 3), 816.0 / 7140, 1e-12);
  for (std::uint64_t m = 0; m <= 36; ++m) {
    EXPECT_NEAR(missed_probability(Strategy::kStratified, 6, one, m),
                missed_probability(Strategy::kUniform, 6, one, m), 1e-12);
  }
}

TEST(Missed, OfInputBlocksIsCertainOutsideThemUntilTheyAreUsedUp) {
  for (std::uint64_t m = 0; m <= 6; ++m) {
    EXPECT_EQ(missed_probability(Strategy::kInputBlocks, 6, {0, 6, 6}, m), 1.0);
  }
  EXPECT_LT(missed_probability(Strategy::kInputBlocks, 6, {0, 6, 6}, 7), 1e-12);
  EXPECT_NEAR(missed_probability(Strategy::kInputBlocks, 6, {2, 0, 0}, 3), 0.2, 1e-12);
}

TEST(Missed, NeverGrowsWithTheAuditAndEndsAtNothing) {
  for (const Strategy strategy : kAll) {
    for (const BadBlocks& bad : {BadBlocks{1, 0, 0, 0}, BadBlocks{0, 0, 0, 1},
                                 BadBlocks{2, 2, 2, 2}, BadBlocks{0, 7, 0, 1}}) {
      double before = 1;
      for (std::uint64_t m = 0; m <= 28; ++m) {
        const double now = missed_probability(strategy, 7, bad, m);
        EXPECT_LE(now, before + 1e-15);
        before = now;
      }
      EXPECT_EQ(before, 0.0);
    }
  }
}

constexpr int kDraws = 4000;
constexpr double kFourDeviations = 4 * 0.5 / 63.2;  // of that many draws, at most

using Orders = std::vector<std::vector<BlockIndex>>;

/// The real draws for 4000 checkpoints.
Orders draws(const DrawRule& rule, std::uint32_t layer_blocks, std::uint64_t step_blocks) {
  const ByteBuffer secret(32, 3);
  Orders out;
  for (int k = 0; k < kDraws; ++k) {
    out.push_back(draw_order(secret, std::to_string(k), layer_blocks, step_blocks, rule));
  }
  return out;
}

/// How often the first `sampled` blocks miss the first bad[i] step blocks of each layer block i.
double missed_in(const Orders& orders, const BadBlocks& bad, std::uint64_t sampled) {
  const auto misses = std::count_if(orders.begin(), orders.end(), [&](const auto& order) {
    return std::none_of(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(sampled),
        [&](const BlockIndex& block) { return block.step_block < bad[block.layer_block]; });
  });
  return static_cast<double>(misses) / static_cast<double>(orders.size());
}

TEST(Missed, IsWhatTheRealDrawDoes) {
  const BadBlocks threats[] = {{1, 0, 0, 0}, {0, 0, 1, 1}, {5, 0, 0, 0}, {2, 2, 2, 2}};
  for (const Strategy strategy :
       {Strategy::kUniform, Strategy::kStratified, Strategy::kInputBlocks}) {
    const Orders orders = draws({strategy, {}}, 4, 5);
    for (const BadBlocks& bad : threats) {
      for (const std::uint64_t m : {1U, 3U, 7U, 12U}) {
        EXPECT_NEAR(missed_in(orders, bad, m), missed_probability(strategy, 5, bad, m),
                    kFourDeviations)
            << strategy_name(strategy) << " " << bad[0] << bad[1] << bad[2] << bad[3] << " " << m;
      }
    }
  }
}

TEST(Missed, OfStateChangesIsABoundForAllClaims) {
  const BadBlocks bad = {1, 1, 0, 0};  // in step block 0
  const double bound = missed_probability(Strategy::kStateChanges, 5, bad, 6);
  double least = 1;
  for (const std::vector<unsigned>& claim :
       {std::vector<unsigned>{1, 16, 16, 16, 16}, {1, 1, 1, 1, 1}, {16, 1, 1, 1, 1}}) {
    const double missed = missed_in(draws({Strategy::kStateChanges, claim}, 4, 5), bad, 6);
    EXPECT_LE(missed, bound + kFourDeviations);
    least = std::min(least, missed);
  }
  EXPECT_LT(least, bound - 0.1) << "honest weights must be worth something";
}

TEST(BlocksNeeded, AreTheFewest) {
  for (const Strategy strategy : kAll) {
    for (const BadBlocks& bad : {BadBlocks{1, 0, 0}, BadBlocks{0, 0, 9}, BadBlocks{3, 3, 3}}) {
      for (const double p : {0.01, 0.5, 0.9, 0.999}) {
        const std::uint64_t m = blocks_needed(strategy, 9, bad, p);
        EXPECT_GE(1 - missed_probability(strategy, 9, bad, m), p - 1e-9);
        if (m > 1) {
          EXPECT_LT(1 - missed_probability(strategy, 9, bad, m - 1), p);
        }
      }
    }
  }
  EXPECT_EQ(blocks_needed(Strategy::kUniform, 10, {1}, 0.3), 3U) << "a chance met exactly";
  EXPECT_EQ(blocks_needed(Strategy::kStratified, 5, {0, 5}, 0.999), 2U) << "one of each stratum";
}

TEST(Probability, IsNeverSpeltGreaterThanItIs) {
  EXPECT_EQ(spell_probability(0.3), "0.300000");
  EXPECT_EQ(spell_probability(0.29999999999), "0.299999");
  EXPECT_EQ(spell_probability(0.9999999), "0.999999");
  EXPECT_EQ(spell_probability(1), "1.000000");
  EXPECT_EQ(spell_probability(0), "0.000000");
}

}  // namespace
}  // namespace aftune::audit
