// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/narrow_update.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "aftune/numerics/internal/test_engines.h"
#include "aftune/numerics/philox.h"
#include "aftune/numerics/update.h"

namespace aftune::numerics {
namespace {

using Values = std::vector<float>;
using Halves = std::vector<std::uint16_t>;

float value_of(std::uint16_t half) { return std::bit_cast<float>(std::uint32_t{half} << 16); }

Values values_of(const Halves& halves) {
  Values out;
  for (const std::uint16_t half : halves) out.push_back(value_of(half));
  return out;
}

std::uint16_t nearest(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t low = bits & 0xFFFFU, high = bits >> 16;
  const bool up = low > 0x8000U || (low == 0x8000U && high % 2 == 1);
  return static_cast<std::uint16_t>(high + (up ? 1 : 0));
}

/// docs/formats/training.md, word for word.
std::uint16_t by_counter(float x, std::uint64_t i, const MomentRounding& r) {
  const auto words = philox4x32({static_cast<std::uint32_t>(i / 8 % (std::uint64_t{1} << 32)),
                                 static_cast<std::uint32_t>(i / 8 >> 32), r.place, r.step},
                                r.key);
  const std::uint64_t h = i % 8;
  const std::uint32_t word = words[h / 2];
  const std::uint32_t half = h % 2 == 0 ? word % 65536 : word / 65536;
  return static_cast<std::uint16_t>((std::bit_cast<std::uint32_t>(x) + half) / 65536);
}

constexpr MomentRounding kRounding = {{11, 12}, 13, 14};

Halves narrow_values(std::size_t count, std::uint32_t seed, bool positive) {
  Halves out;
  for (const float x : normal_values(count, seed, 0.1F)) {
    out.push_back(nearest(positive ? std::fabs(x) : x));
  }
  return out;
}

TEST(NarrowAdamW, IsTheWideUpdateWithItsMomentsRounded) {
  const AdamWScalars s = adamw_scalars(1e-3, 0.9, 0.999, 1e-8, 0.1, 15, 0.5F);
  for (const std::size_t count : {1U, 7U, 8U, 9U, 2047U, 2049U, 65536U, 65545U, 150001U}) {
    const Values g = normal_values(count, 1), p0 = normal_values(count, 2);
    const Halves m0 = narrow_values(count, 3, false), v0 = narrow_values(count, 4, true);
    for_each_engine([&](const Engine& engine, const std::string& name) {
      Values wide_p = p0, wide_m = values_of(m0), wide_v = values_of(v0), p = p0;
      Halves m = m0, v = v0;
      ASSERT_TRUE(adamw(engine, s, g, wide_p, wide_m, wide_v));
      ASSERT_TRUE(adamw_bf16(engine, s, kRounding, g, p, m, v));
      ASSERT_EQ(first_difference(p, wide_p), count) << name;
      for (std::size_t i = 0; i < count; ++i) {
        ASSERT_EQ(m[i], nearest(wide_m[i])) << i << ", " << name;
        ASSERT_EQ(v[i], by_counter(wide_v[i], i, kRounding)) << i << ", " << name;
      }
    });
  }
}

TEST(NarrowAdamW, TheSecondMomentFollowsGradientsThatNearestWouldRoundAway) {
  // From 1 a tenth of a thousandth a step: to nearest it would stay for ever.
  const std::size_t count = 4096;
  const Values g(count, std::sqrt(0.9F));
  with_scalar_engine([&](const Engine& engine) {
    Values p(count), wide_p(count), wide_m(count), wide_v(count, 1.0F);
    Halves m(count), v(count, nearest(1.0F));
    for (std::uint32_t step = 0; step < 500; ++step) {
      const AdamWScalars s = adamw_scalars(1e-4, 0.9, 0.999, 1e-8, 0, step + 1, 1.0F);
      MomentRounding rounding = kRounding;
      rounding.step = step;
      ASSERT_TRUE(adamw_bf16(engine, s, rounding, g, p, m, v));
      ASSERT_TRUE(adamw(engine, s, g, wide_p, wide_m, wide_v));
    }
    double mean = 0;
    for (const std::uint16_t half : v) mean += value_of(half) / static_cast<double>(count);
    EXPECT_LT(wide_v[0], 0.97F);
    EXPECT_NEAR(mean, wide_v[0], 5e-4);
  });
}

TEST(NarrowAdamW, WordsHangOnKeyPlaceStepAndElement) {
  const std::size_t count = 64;
  const AdamWScalars s = adamw_scalars(1e-3, 0.9, 0.999, 1e-8, 0, 1, 1.0F);
  with_scalar_engine([&](const Engine& engine) {
    const auto made = [&](const MomentRounding& rounding) {
      const Values g(count, 0.3F);
      Values p(count);
      Halves m(count), v(count);
      EXPECT_TRUE(adamw_bf16(engine, s, rounding, g, p, m, v));
      return v;
    };
    const Halves first = made(kRounding);
    EXPECT_EQ(made(kRounding), first);
    EXPECT_NE(made({{10, 12}, 13, 14}), first);
    EXPECT_NE(made({{11, 10}, 13, 14}), first);
    EXPECT_NE(made({{11, 12}, 10, 14}), first);
    EXPECT_NE(made({{11, 12}, 13, 10}), first);
    EXPECT_NE(Halves(first.begin(), first.begin() + 32), Halves(first.begin() + 32, first.end()));
  });
}

TEST(NarrowSgd, IsTheWideUpdateWithItsBufferRoundedToNearest) {
  const std::size_t count = 70001;
  const Values g = normal_values(count, 1), p0 = normal_values(count, 2);
  const Halves b0 = narrow_values(count, 3, false);
  for (const bool nesterov : {false, true}) {
    const SgdScalars s{0.7F, 0.03F, 0.01F, 0.9F, nesterov};
    for_each_engine([&](const Engine& engine, const std::string& name) {
      Values wide_p = p0, wide_b = values_of(b0), p = p0;
      Halves b = b0;
      ASSERT_TRUE(sgd(engine, s, g, wide_p, wide_b));
      ASSERT_TRUE(sgd_bf16(engine, s, g, p, b));
      ASSERT_EQ(first_difference(p, wide_p), count) << name;
      for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(b[i], nearest(wide_b[i])) << i;
    });
  }
}

TEST(NarrowUpdate, RefusesWhatIsNotFiniteOnceRounded) {
  const AdamWScalars s = adamw_scalars(1e-3, 0.5, 0.5, 1e-8, 0, 1, 1.0F);
  for_each_engine([&](const Engine& engine, const std::string& name) {
    for (const float lie : {NAN, INFINITY, 3e38F}) {
      Values g(3000), p(3000);
      Halves m(3000), v(3000);
      g[2500] = lie;
      EXPECT_FALSE(adamw_bf16(engine, s, kRounding, g, p, m, v)) << lie << ", " << name;
    }
    // 0x1.ff8p127 and more rounds to an infinity, though it is finite itself.
    Values g(10), p(10);
    Halves b(10, 0);
    g[7] = 0x1.ffp127F;
    EXPECT_FALSE(sgd_bf16(engine, {1, 0, 0, 0.5F}, g, p, b)) << name;
    g[7] = 0x1.fdp127F;
    b.assign(10, 0);
    EXPECT_TRUE(sgd_bf16(engine, {1, 0, 0, 0.5F}, g, p = Values(10), b)) << name;
  });
}

}  // namespace
}  // namespace aftune::numerics
