// SPDX-License-Identifier: Apache-2.0
// Products that are odd for x16: docs/formats/exact-arithmetic.md, "Odd products".
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "aftune/numerics/internal/test_engines.h"
#include "aftune/numerics/internal/test_x16.h"
#include "aftune/numerics/loss.h"
#include "aftune/numerics/product.h"

namespace aftune::numerics {
namespace {

constexpr float kLargestOperand = std::bit_cast<float>(0x627efeffU);
constexpr float kFirstRefused = std::bit_cast<float>(0x627eff00U);

ConstMatrix view(const Grid& grid) { return {grid.values.data(), grid.rows, grid.cols}; }
Matrix view(Grid& grid) { return {grid.values.data(), grid.rows, grid.cols}; }

/// x w^T with the page's bits, which the product must have; nothing where both refuse.
std::optional<Grid> product(const Engine& engine, const Grid& x, const Grid& w,
                            const std::string& where) {
  Grid y(x.rows, w.rows);
  const Status done = linear(engine, view(x), view(w), view(y), Store::kWrite);
  const auto paper = paper_x16(x, w);
  EXPECT_EQ(done.has_value(), paper.has_value()) << where;
  if (!done || !paper) return std::nullopt;
  EXPECT_EQ(first_difference(y.values, paper->values), y.values.size()) << where;
  return y;
}

Grid row(std::vector<float> values) {
  const std::size_t count = values.size();
  return {1, count, std::move(values)};
}

/// The one element of a product of two rows.
float of_rows(const Engine& engine, std::vector<float> a, std::vector<float> b,
              const std::string& where) {
  const auto c = product(engine, row(std::move(a)), row(std::move(b)), where);
  return c ? c->values[0] : std::numeric_limits<float>::quiet_NaN();
}

TEST(OddProduct, VerySmallDepthsAreX16LikeAnyOther) {
  for (const std::size_t depth : {1, 2, 3}) {
    const Grid x(70, depth, normal_values(70 * depth, 1)),
        w(90, depth, normal_values(90 * depth, 2));
    for_each_engine([&](const Engine& engine, const std::string& name) {
      const auto y = product(engine, x, w, name);
      ASSERT_TRUE(y);
      double worst = 0;
      for (std::size_t i = 0; i < x.rows; ++i) {
        for (std::size_t j = 0; j < w.rows; ++j) {
          double exact = 0, largest_x = 0, largest_w = 0;
          for (std::size_t k = 0; k < depth; ++k) {
            const double a = x.at(i, k), b = w.at(j, k);
            exact += a * b;
            largest_x = std::max(largest_x, std::abs(a));
            largest_w = std::max(largest_w, std::abs(b));
          }
          const double bound = static_cast<double>(depth) * largest_x * largest_w;
          worst = std::max(worst, std::abs(static_cast<double>(y->at(i, j)) - exact) / bound);
        }
      }
      EXPECT_LT(worst, 1.25e-4) << name;
      EXPECT_GT(worst, 1e-6) << name << ": nothing was rounded";
    });
  }
}

TEST(OddProduct, ADepthOfZeroGivesZeros) {
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Grid y(3, 4, std::vector<float>(12, 5.0F));
    const Grid x(3, 0), w(4, 0);
    ASSERT_TRUE(linear(engine, view(x), view(w), view(y), Store::kWrite)) << name;
    EXPECT_EQ(first_difference(y.values, std::vector<float>(12)), 12U) << name;
  });
}

TEST(OddProduct, SmallOnesVanishBesideOneThatIs2To40Larger) {
  for_each_engine([&](const Engine& engine, const std::string& name) {
    // 1 has e = -14: up to 2^-15 counts as nothing, and above that the step is 2^-14.
    const float above = std::nextafter(0x1p-15F, 1.0F);
    EXPECT_EQ(of_rows(engine, {1, 0x1p-40F}, {0, 1}, name), 0.0F) << name;
    EXPECT_EQ(of_rows(engine, {1, 0x1p-15F}, {0, 1}, name), 0.0F) << name;
    EXPECT_EQ(of_rows(engine, {1, -0x1p-15F}, {0, 1}, name), 0.0F) << name;
    EXPECT_EQ(of_rows(engine, {1, 0x1.8p-13F}, {0, 1}, name), 0x1.8p-13F) << name;
    // One unit is all in the lower byte; 1 of the other row is all in its upper: nothing is lost.
    EXPECT_EQ(of_rows(engine, {1, above}, {0, 1}, name), 0x1p-14F) << name;
    EXPECT_EQ(of_rows(engine, {1, above}, {1, 0}, name), 1.0F) << name;
    // Alone in the block each of them keeps 15 bits.
    EXPECT_EQ(of_rows(engine, {0, 0x1p-40F}, {0, 1}, name), 0x1p-40F) << name;
  });
}

TEST(OddProduct, WhatVanishesStaysWithinItsBlock) {
  std::vector<float> a(512, 0x1p-40F), b(512, 1.0F);
  a[0] = 1;
  b[0] = 0;
  for_each_engine([&](const Engine& engine, const std::string& name) {
    // The first block's 255 small ones are lost, the second's 256 count.
    EXPECT_EQ(of_rows(engine, a, b, name), 256 * 0x1p-40F) << name;
  });
}

TEST(OddProduct, VanishedTermsCostAtMostTheirShareOfTheLargest) {
  // Sizes over 40 binades in each row, so most of a block rounds to nothing.
  Grid x(40, 256, normal_values(40 * 256, 3)), w(40, 256, normal_values(40 * 256, 4));
  for (Grid* grid : {&x, &w}) {
    for (std::size_t i = 0; i < grid->values.size(); ++i) {
      grid->values[i] = std::ldexp(grid->values[i], -static_cast<int>(i * 7 % 41));
    }
  }
  with_scalar_engine([&](const Engine& engine) {
    const auto y = product(engine, x, w, "scalar");
    ASSERT_TRUE(y);
    for (std::size_t i = 0; i < x.rows; ++i) {
      for (std::size_t j = 0; j < w.rows; ++j) {
        double exact = 0, largest_x = 0, largest_w = 0;
        for (std::size_t k = 0; k < 256; ++k) {
          const double a = x.at(i, k), b = w.at(j, k);
          exact += a * b;
          largest_x = std::max(largest_x, std::abs(a));
          largest_w = std::max(largest_w, std::abs(b));
        }
        EXPECT_LT(std::abs(static_cast<double>(y->at(i, j)) - exact),
                  256 * 1.25e-4 * largest_x * largest_w);
      }
    }
  });
}

TEST(OddProduct, RowsOfZerosGivePositiveZero) {
  const Grid wild(9, 300, normal_values(2700, 5, 1e18F));
  const Grid zeros(4, 300), minus(4, 300, std::vector<float>(1200, -0.0F));
  for_each_engine([&](const Engine& engine, const std::string& name) {
    for (const Grid* empty : {&zeros, &minus}) {
      const auto left = product(engine, *empty, wild, name);
      const auto right = product(engine, wild, *empty, name);
      ASSERT_TRUE(left && right);
      EXPECT_EQ(first_difference(left->values, std::vector<float>(36)), 36U) << name;
      EXPECT_EQ(first_difference(right->values, std::vector<float>(36)), 36U) << name;
    }
  });
}

TEST(OddProduct, SubnormalOperandsCountAsNothing) {
  for_each_engine([&](const Engine& engine, const std::string& name) {
    // Sizes up to 2^-67 round to nothing at the smallest exponent, subnormal ones among them.
    const float above = std::nextafter(0x1p-67F, 1.0F);
    for (const float tiny : {0x1p-149F, 0x1.fffffcp-127F, 0x1p-100F, 0x1p-67F}) {
      EXPECT_EQ(of_rows(engine, {tiny}, {0x1p69F}, name), 0.0F) << name << tiny;
      EXPECT_EQ(of_rows(engine, {-tiny}, {0x1p69F}, name), 0.0F) << name << tiny;
    }
    EXPECT_EQ(of_rows(engine, {above}, {0x1p69F}, name), 8.0F) << name;  // 2^-66 2^69
    // Around 2^-51 a block still keeps 15 bits (32639 2^-66); below it has steps of 2^-66.
    EXPECT_EQ(of_rows(engine, {0x1.fdfcp-52F}, {1}, name), 0x1.fdfcp-52F) << name;
    EXPECT_EQ(of_rows(engine, {0x1.fffcp-60F}, {1}, name), 0x1p-59F) << name;
  });
}

TEST(OddProduct, NoResultIsSubnormalOrNegativeZero) {
  for_each_engine([&](const Engine& engine, const std::string& name) {
    // The least result that is not zero: 256 units times one at the smallest exponents.
    EXPECT_EQ(of_rows(engine, {0x1p-58F}, {0x1p-66F}, name), 0x1p-124F) << name;
    EXPECT_EQ(of_rows(engine, {0x1p-66F}, {0x1p-66F}, name), 0.0F) << name << ": l l' is left out";
    const float minus = of_rows(engine, {0x1p-66F}, {-0x1p-66F}, name);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(minus), 0U) << name;
    const float cancelled = of_rows(engine, {1, 1}, {1, -1}, name);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(cancelled), 0U) << name;
  });
}

TEST(OddProduct, TheLargestOperandPassesAndTheNextIsRefused) {
  for_each_engine([&](const Engine& engine, const std::string& name) {
    for (const float sign : {1.0F, -1.0F}) {
      // 32639 2^55, for 0x627efeff lies below 32639.5 2^55.
      EXPECT_EQ(of_rows(engine, {sign * kLargestOperand}, {1}, name), sign * 32639 * 0x1p55F)
          << name;
      EXPECT_FALSE(product(engine, row({sign * kFirstRefused}), row({1}), name)) << name;
      EXPECT_FALSE(product(engine, row({0}), row({sign * kFirstRefused}), name)) << name;
    }
    // Two of the largest overflow; where the large ones meet nothing, nothing does.
    EXPECT_FALSE(product(engine, row({kLargestOperand}), row({kLargestOperand}), name)) << name;
    EXPECT_EQ(of_rows(engine, {kLargestOperand, 0}, {0, kLargestOperand}, name), 0.0F) << name;
    EXPECT_EQ(of_rows(engine, {0x1p63F}, {0x1p64F}, name), 0x1p127F) << name;
    EXPECT_FALSE(product(engine, row({0x1p64F}), row({0x1p64F}), name)) << name;
  });
}

TEST(OddProduct, ABlockOfMaskedValuesChangesNoBit) {
  // 512 values with a masked block between them, against the same ones without it.
  const std::vector<float> a = normal_values(512, 6), b = normal_values(512, 7);
  std::vector<float> wide_a(768), wide_b = normal_values(768, 8, 1e15F);
  for (std::size_t k = 0; k < 512; ++k) {
    wide_a[k + (k < 256 ? 0 : 256)] = a[k];
    wide_b[k + (k < 256 ? 0 : 256)] = b[k];
  }
  for_each_engine([&](const Engine& engine, const std::string& name) {
    const float without = of_rows(engine, a, b, name);
    EXPECT_EQ(of_rows(engine, wide_a, wide_b, name), without) << name;
    wide_a[300] = 0x1p-60F;  // not masked any more: the check can fail
    EXPECT_NE(of_rows(engine, wide_a, wide_b, name), without) << name;
    wide_a[300] = 0;
  });
}

TEST(OddProduct, AMicroBatchWithoutTargetsAddsNothing) {
  constexpr std::size_t kTokens = 40, kVocabulary = 70, kWidth = 24;
  const Grid x(kTokens, kWidth, normal_values(kTokens * kWidth, 9, 100));
  const Grid w(kVocabulary, kWidth, normal_values(kVocabulary * kWidth, 10));
  const std::vector<float> before = normal_values(kVocabulary * kWidth, 11);
  const std::vector<std::int32_t> labels(kTokens, kIgnoredLabel);
  for_each_engine([&](const Engine& engine, const std::string& name) {
    auto z = product(engine, x, w, name);
    ASSERT_TRUE(z);
    const auto loss = cross_entropy(engine, view(*z), labels, 5, true);
    ASSERT_TRUE(loss) << name;
    EXPECT_EQ(std::bit_cast<std::uint32_t>(*loss), 0U) << name;
    Grid dw(kVocabulary, kWidth, before);
    ASSERT_TRUE(linear_grad_weight(engine, view(*z), view(x), view(dw), Store::kAdd)) << name;
    EXPECT_EQ(first_difference(dw.values, before), before.size()) << name;
    Grid dx(kTokens, kWidth);
    ASSERT_TRUE(linear_grad_input(engine, view(*z), view(w), view(dx), Store::kWrite)) << name;
    EXPECT_EQ(first_difference(dx.values, std::vector<float>(dx.values.size())), dx.values.size());
  });
}

TEST(OddProduct, AGradientOfLogitsKeepsItsLabelsBlockOnly) {
  // A label's entry is near -1, the others are tiny: those of its block vanish, no others do.
  constexpr std::size_t kVocabulary = 1024;
  std::vector<float> dz(kVocabulary, 0x1p-20F), ones(kVocabulary, 1.0F);
  dz[300] = -1;
  for_each_engine([&](const Engine& engine, const std::string& name) {
    EXPECT_EQ(of_rows(engine, dz, ones, name), -1.0F + 768 * 0x1p-20F) << name;
  });
}

}  // namespace
}  // namespace aftune::numerics
