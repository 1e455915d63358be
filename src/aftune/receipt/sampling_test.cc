// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "aftune/numerics/philox.h"
#include "aftune/numerics/scalar_math.h"

namespace aftune::receipt {
namespace {

__extension__ using Wide = unsigned __int128;
using Ids = std::vector<std::int32_t>;

/// The page, sentence by sentence: everything sorted, nothing skipped.
std::int32_t by_the_page(const std::vector<float>& logits, const Ids& before,
                         const SamplingRule& rule, std::uint64_t seed) {
  std::vector<double> s(logits.begin(), logits.end());
  if (rule.repetition_penalty != 1) {
    for (const std::int32_t id : std::set<std::int32_t>(before.begin(), before.end())) {
      double& one = s[static_cast<std::size_t>(id)];
      one = one < 0 ? one * rule.repetition_penalty : one / rule.repetition_penalty;
    }
  }
  Ids order;
  for (std::size_t i = 0; i < s.size(); ++i) order.push_back(static_cast<std::int32_t>(i));
  const auto score = [&](std::int32_t id) { return s[static_cast<std::size_t>(id)]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int32_t a, std::int32_t b) { return score(a) > score(b); });
  if (rule.temperature == 0) return order.front();
  const double most = score(order.front());
  if (rule.top_k > 0 && rule.top_k < order.size()) order.resize(rule.top_k);
  const auto weight = [&](std::int32_t id) -> std::uint64_t {
    const double x = (score(id) - most) / rule.temperature;
    if (x < -40) return 0;
    return static_cast<std::uint64_t>(std::nearbyint(numerics::exact_exp(x) * 0x1p40));
  };
  Wide total = 0;
  for (const std::int32_t id : order) total += weight(id);
  if (rule.top_p < 1) {
    const auto q = static_cast<std::uint64_t>(std::nearbyint(rule.top_p * 0x1p32));
    std::size_t n = 0;
    Wide sum = 0;
    do {
      sum += weight(order[n++]);
    } while (n < order.size() && (sum << 32) < total * q);
    order.resize(n);
    total = sum;
  }
  std::sort(order.begin(), order.end());
  const std::uint64_t position = before.size();
  const auto w = numerics::philox4x32(
      {static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32), 0, 0},
      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  const Wide mark = ((Wide{w[1]} << 32 | w[0]) * total) >> 64;
  Wide sum = 0;
  for (const std::int32_t id : order) {
    sum += weight(id);
    if (sum > mark) return id;
  }
  return -1;
}

std::vector<float> random_logits(std::mt19937& random, std::size_t count, float spread) {
  std::vector<float> out(count);
  for (float& one : out) {
    one = spread * (static_cast<float>(random() >> 8) * 0x1p-23F - 1);
    if (random() % 8 == 0) one = std::floor(one);  // ties
  }
  return out;
}

TEST(Sampling, DecidesAsThePageSays) {
  std::mt19937 random(3);
  const SamplingRule rules[] = {
      {0, 0, 1, 1},      {0, 3, 0.5, 1.3},        {1, 0, 1, 1},     {0.7, 5, 1, 1},
      {1.3, 0, 0.9, 1},  {0.05, 0, 0.999, 1.2},   {2, 7, 0.3, 0.8}, {0x1p-10, 0, 1, 1},
      {0x1p10, 1, 1, 2}, {1, 1 << 22, 0x1p-40, 1}};
  for (int round = 0; round < 300; ++round) {
    const std::size_t count = 1 + random() % 60;
    const auto logits = random_logits(random, count, round % 2 == 0 ? 3 : 40);
    Ids before;
    for (std::size_t i = 0; i < random() % 20; ++i) {
      before.push_back(static_cast<std::int32_t>(random() % count));
    }
    const std::uint64_t seed = std::uint64_t{random()} << 32 | random();
    for (const SamplingRule& rule : rules) {
      ASSERT_TRUE(check_sampling(rule));
      ASSERT_EQ(choose_token(logits, before, rule, seed), by_the_page(logits, before, rule, seed))
          << "round " << round << ", temperature " << rule.temperature;
    }
  }
}

TEST(Sampling, GreedyTakesTheSmallestOfEqualIds) {
  const std::vector<float> logits = {-1, 4, 0, 4, 3.9F};
  EXPECT_EQ(choose_token(logits, Ids{}, {}, 9), 1);
  EXPECT_EQ(choose_token(std::vector<float>{-0.0F, 0.0F}, Ids{}, {}, 9), 0);
}

TEST(Sampling, PenaltyTakesFromWhatStoodBeforeOnce) {
  const std::vector<float> logits = {2, 3, -1};
  const SamplingRule rule{0, 0, 1, 2};
  EXPECT_EQ(choose_token(logits, Ids{}, rule, 0), 1);
  EXPECT_EQ(choose_token(logits, Ids{1}, rule, 0), 0);
  EXPECT_EQ(choose_token(logits, Ids{1, 1, 1, 0, 0}, rule, 0), 1);  // 1.5 against 1
  EXPECT_EQ(choose_token(std::vector<float>{-1, -1.5F}, Ids{0}, rule, 0), 1);
}

TEST(Sampling, SeedAndPositionAreAllThatChangesADraw) {
  const std::vector<float> logits(50, 1.0F);
  const SamplingRule rule{1, 0, 1, 1};
  std::set<std::int32_t> by_seed, by_position;
  for (std::uint64_t i = 0; i < 40; ++i) {
    by_seed.insert(choose_token(logits, Ids{}, rule, i));
    by_position.insert(choose_token(logits, Ids(i, 7), rule, 1));
  }
  EXPECT_GT(by_seed.size(), 15U);
  EXPECT_GT(by_position.size(), 15U);
  EXPECT_EQ(choose_token(logits, Ids{3, 4}, rule, 5), choose_token(logits, Ids{8, 9}, rule, 5));
}

TEST(Sampling, DrawsInProportionToTheWeights) {
  const std::vector<float> logits = {0, std::log(3.0F)};
  std::size_t second = 0;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    second += choose_token(logits, Ids{}, {1, 0, 1, 1}, seed) == 1 ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(second), 3000, 120);
}

TEST(Sampling, RefusesValuesOutsideTheLimitsByName) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const struct {
    SamplingRule rule;
    const char* named;
  } lies[] = {{{-1, 0, 1, 1}, "temperature"},
              {{0x1p-11, 0, 1, 1}, "temperature"},
              {{1025, 0, 1, 1}, "temperature"},
              {{nan, 0, 1, 1}, "temperature"},
              {{infinity, 0, 1, 1}, "temperature"},
              {{1, (1U << 22) + 1, 1, 1}, "top_k"},
              {{1, 0, 0, 1}, "top_p"},
              {{1, 0, 1.01, 1}, "top_p"},
              {{1, 0, nan, 1}, "top_p"},
              {{1, 0, 1, 0}, "repetition_penalty"},
              {{1, 0, 1, 17}, "repetition_penalty"},
              {{1, 0, 1, nan}, "repetition_penalty"}};
  for (const auto& lie : lies) {
    const Status checked = check_sampling(lie.rule);
    ASSERT_FALSE(checked) << lie.named;
    EXPECT_EQ(checked.error().what.find(lie.named), 0U) << checked.error().what;
  }
}

TEST(Sampling, JsonHasOneSpelling) {
  const SamplingRule rule{0.7, 40, 0.95, 1.1};
  const codec::Json json = to_json(rule);
  EXPECT_EQ(*read_sampling(*codec::JsonReader::open(json, "s")), rule);
  EXPECT_EQ(codec::canonical_json(to_json(SamplingRule{-0.0, 0, 1, 1})),
            codec::canonical_json(to_json(SamplingRule{})));
  codec::Json other = json;
  (*other.object())["temperature"] = "-0x0p+0";
  EXPECT_FALSE(read_sampling(*codec::JsonReader::open(other, "s")));
  other = json;
  (*other.object())["typical_p"] = 1;
  EXPECT_FALSE(read_sampling(*codec::JsonReader::open(other, "s")));
}

}  // namespace
}  // namespace aftune::receipt
