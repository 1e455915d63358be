// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/draw_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "aftune/base/endian.h"
#include "aftune/crypto/sha256.h"

namespace aftune::audit {
namespace {

using trace::Strategy;

const ByteBuffer kSecret(32, 7);

/// The draw's key for the checkpoint text "text".
Digest key_of_text() {
  const std::string message = std::string("aftune draw v1") + '\0' + "text";
  return crypto::hmac_sha256(kSecret, as_bytes(message));
}

Digest mark(std::initializer_list<std::uint64_t> numbers) {
  ByteBuffer message;
  for (const std::uint64_t number : numbers) append(message, store_be<std::uint64_t>(number));
  return crypto::hmac_sha256(key_of_text().view(), message);
}

DrawRule rule_of(Strategy strategy, std::uint64_t step_blocks) {
  DrawRule rule{strategy, {}};
  if (strategy == Strategy::kStateChanges) {
    for (std::uint64_t j = 0; j < step_blocks; ++j) rule.weights.push_back(1 + 5 * j % 16);
  }
  return rule;
}

constexpr Strategy kAllStrategies[] = {Strategy::kUniform, Strategy::kStratified,
                                       Strategy::kInputBlocks, Strategy::kStateChanges};

TEST(DrawOrder, IsAPermutationOfTheGrid) {
  for (const Strategy strategy : kAllStrategies) {
    for (std::uint32_t rows = 1; rows <= 4; ++rows) {
      for (std::uint64_t columns = 1; columns <= 5; ++columns) {
        auto order = draw_order(kSecret, "text", rows, columns, rule_of(strategy, columns));
        ASSERT_EQ(order.size(), rows * columns);
        std::sort(order.begin(), order.end());
        std::size_t k = 0;
        for (std::uint32_t i = 0; i < rows; ++i) {
          for (std::uint64_t j = 0; j < columns; ++j) EXPECT_EQ(order[k++], (BlockIndex{i, j}));
        }
      }
    }
  }
}

TEST(DrawOrder, SortsByTheStatedKey) {
  const std::string message = std::string("aftune draw v1") + '\0' + "text";
  const Digest key = crypto::hmac_sha256(kSecret, as_bytes(message));
  const auto order = draw_order(kSecret, "text", 3, 4);
  Digest before;
  for (const BlockIndex& block : order) {
    const std::uint64_t number = block.step_block * 3 + block.layer_block;
    const Digest mark = crypto::hmac_sha256(key.view(), store_be<std::uint64_t>(number));
    EXPECT_LT(before, mark);
    before = mark;
  }
}

TEST(DrawOrder, HangsOnSecretAndCheckpoint) {
  const auto order = draw_order(kSecret, "text", 5, 5);
  EXPECT_EQ(draw_order(kSecret, "text", 5, 5), order);
  EXPECT_NE(draw_order(kSecret, "texu", 5, 5), order);
  EXPECT_NE(draw_order(ByteBuffer(32, 8), "text", 5, 5), order);
}

TEST(DrawOrder, OfEachStrategyHangsOnSecretAndCheckpoint) {
  for (const Strategy strategy : kAllStrategies) {
    const DrawRule rule = rule_of(strategy, 6);
    const auto order = draw_order(kSecret, "text", 4, 6, rule);
    EXPECT_EQ(draw_order(kSecret, "text", 4, 6, rule), order);
    EXPECT_NE(draw_order(kSecret, "texu", 4, 6, rule), order);
    EXPECT_NE(draw_order(ByteBuffer(32, 8), "text", 4, 6, rule), order);
  }
}

TEST(DrawOrder, StratifiedTakesTheNextOfEachLayerBlockInEachRound) {
  const auto plain = draw_order(kSecret, "text", 5, 7);
  const auto order = draw_order(kSecret, "text", 5, 7, {Strategy::kStratified, {}});
  for (std::uint64_t round = 0; round < 7; ++round) {
    std::vector<std::pair<Digest, std::uint32_t>> strata;
    for (std::uint32_t i = 0; i < 5; ++i) strata.emplace_back(mark({round, i}), i);
    std::sort(strata.begin(), strata.end());
    for (std::uint32_t k = 0; k < 5; ++k) {
      std::vector<BlockIndex> stratum;
      std::copy_if(plain.begin(), plain.end(), std::back_inserter(stratum),
                   [&](const BlockIndex& b) { return b.layer_block == strata[k].second; });
      EXPECT_EQ(order[round * 5 + k], stratum[round]);
    }
  }
}

TEST(DrawOrder, InputBlocksComeFirstAndAllInTheUniformOrder) {
  const auto plain = draw_order(kSecret, "text", 4, 6);
  const auto order = draw_order(kSecret, "text", 4, 6, {Strategy::kInputBlocks, {}});
  std::vector<BlockIndex> expected;
  for (const bool input : {true, false}) {
    for (const BlockIndex& block : plain) {
      if ((block.layer_block == 0) == input) expected.push_back(block);
    }
  }
  EXPECT_EQ(order, expected);
}

TEST(DrawOrder, StateChangesInterleavesTheUniformAndTheWeightedOrder) {
  const std::vector<unsigned> weights = {1, 16, 3, 7};
  const auto plain = draw_order(kSecret, "text", 3, 4);
  std::vector<std::pair<Digest, BlockIndex>> tickets;
  for (std::uint64_t b = 0; b < 12; ++b) {
    for (unsigned q = 0; q < weights[b / 3]; ++q) {
      tickets.emplace_back(mark({b, q}), BlockIndex{static_cast<std::uint32_t>(b % 3), b / 3});
    }
  }
  std::sort(tickets.begin(), tickets.end());
  std::vector<BlockIndex> expected;
  const auto take = [&](const BlockIndex& block) {
    if (std::count(expected.begin(), expected.end(), block) > 0) return false;
    expected.push_back(block);
    return true;
  };
  while (expected.size() < 12) {
    if (expected.size() % 2 == 0) {
      for (const BlockIndex& block : plain) {
        if (take(block)) break;
      }
    } else {
      for (const auto& [value, block] : tickets) {
        if (take(block)) break;
      }
    }
  }
  EXPECT_EQ(draw_order(kSecret, "text", 3, 4, {Strategy::kStateChanges, weights}), expected);
}

TEST(DrawOrder, NoWeightsTakeTheUniformHalfAway) {
  const auto plain = draw_order(kSecret, "text", 4, 8);
  const std::vector<std::vector<unsigned>> claims = {
      {1, 1, 1, 1, 1, 1, 1, 1}, {16, 1, 1, 1, 1, 1, 1, 1}, {1, 16, 16, 16, 16, 16, 16, 16}};
  for (const auto& weights : claims) {
    const auto order = draw_order(kSecret, "text", 4, 8, {Strategy::kStateChanges, weights});
    for (std::size_t m = 1; m <= order.size(); ++m) {
      const auto end = order.begin() + static_cast<std::ptrdiff_t>(m);
      for (std::size_t k = 0; k < (m + 1) / 2; ++k) {
        EXPECT_NE(std::find(order.begin(), end, plain[k]), end) << m << " " << k;
      }
    }
  }
}

TEST(DrawOrder, AHeavierStepBlockIsDrawnSooner) {
  // Of two step blocks of one layer block, weights 1 and 3: the weighted order begins with the
  // second in three draws of four. Place 0 is the uniform order's, so look at a grid whose place 0
  // is a third, spare block.
  unsigned heavy = 0, seen = 0;
  for (unsigned k = 0; k < 6000; ++k) {
    const auto order =
        draw_order(kSecret, std::to_string(k), 1, 3, {Strategy::kStateChanges, {1, 3, 1}});
    if (order[0].step_block != 2) continue;
    ++seen;
    heavy += order[1].step_block == 1;
  }
  EXPECT_NEAR(heavy / static_cast<double>(seen), 0.75, 0.04);  // 4 standard deviations
}

TEST(DrawWeights, AreSharesOfTheGreatestMove) {
  EXPECT_EQ(draw_weights({{1, 1, 1}, {1, 1, 3}, {1, 1, 8}}, 1), (std::vector<unsigned>{2, 6, 16}));
  EXPECT_EQ(draw_weights({{1, 1, 1}, {1, 1, 3}, {1, 1, 8}}, 2), (std::vector<unsigned>{8, 16}));
  EXPECT_EQ(draw_weights({{0.5, 1, 1}, {1, 0.5, 1}, {1, 1, 1}}, 1),
            (std::vector<unsigned>{8, 8, 16}));
}

TEST(DrawWeights, AreEqualWhereNothingMoved) {
  EXPECT_EQ(draw_weights({{0, 1, 5}, {0, 1, 9}}, 1), (std::vector<unsigned>{1, 1}));
}

TEST(DrawWeights, StayInTheirRangeWhateverIsClaimed) {
  const double huge = std::numeric_limits<double>::max();
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double claim : {huge, inf, -inf, nan, -1.0, -0.0, 5e-324, 1e300}) {
    for (const std::uint64_t steps : {1U, 2U}) {
      for (const unsigned weight : draw_weights({{1, 1, claim}, {1, 1, claim}, {1, 1, 1}}, steps)) {
        EXPECT_GE(weight, 1U) << claim;
        EXPECT_LE(weight, 16U) << claim;
      }
    }
  }
  EXPECT_EQ(draw_weights({{1, 1, inf}, {1, 1, 2}}, 1), (std::vector<unsigned>{1, 16}));
  EXPECT_EQ(draw_weights({{1, 1, nan}, {1, 1, 2}}, 1), (std::vector<unsigned>{1, 16}));
}

}  // namespace
}  // namespace aftune::audit
