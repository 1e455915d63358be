// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/scalar_math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <utility>

namespace aftune::numerics {
namespace {

constexpr long double kBound = 0x1p-48L;

std::mt19937_64 generator_of_test() { return std::mt19937_64(20240607); }

TEST(ExactCosine, IsNearTheTrueOneUpToTwoToTheTwenty) {
  auto generator = generator_of_test();
  for (const double size : {1e-9, 0.1, 1.0, 10.0, 1e3, 0x1p20}) {
    std::uniform_real_distribution<double> uniform(-size, size);
    for (int i = 0; i < 20000; ++i) {
      const double x = uniform(generator);
      ASSERT_LT(std::fabs(exact_cos(x) - std::cos(static_cast<long double>(x))), kBound) << x;
      ASSERT_LT(std::fabs(exact_sin(x) - std::sin(static_cast<long double>(x))), kBound) << x;
    }
  }
}

TEST(ExactCosine, HoldsAroundMultiplesOfAnEighthTurn) {
  const long double eighth = std::atan(1.0L);
  for (int turn = -2000; turn <= 2000; ++turn) {
    for (const double step : {-1e-9, 0.0, 1e-9}) {
      const auto x = static_cast<double>(eighth * turn) + step;
      ASSERT_LT(std::fabs(exact_cos(x) - std::cos(static_cast<long double>(x))), kBound) << x;
      ASSERT_LT(std::fabs(exact_sin(x) - std::sin(static_cast<long double>(x))), kBound) << x;
    }
  }
}

TEST(ExactCosine, IsEvenAndTheSineOdd) {
  for (const double x : {0.0, 0.5, 0.7853981633974483, 1.0, 2.0, 3.0, 4.0, 100.25, 1048575.5}) {
    EXPECT_EQ(exact_cos(-x), exact_cos(x)) << x;
    EXPECT_EQ(exact_sin(-x), -exact_sin(x)) << x;
  }
  EXPECT_EQ(exact_cos(0), 1);
  EXPECT_EQ(exact_sin(0), 0);
}

TEST(ExactExponential, IsNearTheTrueOne) {
  auto generator = generator_of_test();
  for (const double size : {1e-6, 0.3, 5.0, 699.9}) {
    std::uniform_real_distribution<double> uniform(-size, size);
    for (int i = 0; i < 20000; ++i) {
      const double x = uniform(generator);
      const long double truth = std::exp(static_cast<long double>(x));
      ASSERT_LT(std::fabs(exact_exp(x) - truth), kBound * truth) << x;
    }
  }
  EXPECT_EQ(exact_exp(0), 1);
}

TEST(ExactLogarithm, IsNearTheTrueOneForEveryExponent) {
  auto generator = generator_of_test();
  std::uniform_real_distribution<double> fraction(1, 2);
  for (int exponent = -1022; exponent <= 1023; ++exponent) {
    for (int i = 0; i < 20; ++i) {
      const double x = std::ldexp(fraction(generator), exponent);
      const long double truth = std::log(static_cast<long double>(x));
      ASSERT_LT(std::fabs(exact_log(x) - truth), kBound * std::fabs(truth)) << x;
    }
  }
}

TEST(ExactLogarithm, KeepsItsErrorAroundOneAndTheCut) {
  for (const double middle : {1.0, 0x1.6a09e667f3bcdp-1, 0x1.6a09e667f3bcdp+0}) {
    double x = middle;
    for (int i = 0; i < 100; ++i) x = std::nextafter(x, 0);
    for (int i = 0; i < 200; ++i, x = std::nextafter(x, 4)) {
      const long double truth = std::log(static_cast<long double>(x));
      ASSERT_LE(std::fabs(exact_log(x) - truth), kBound * std::fabs(truth)) << x;
    }
  }
  EXPECT_EQ(exact_log(1), 0);
}

TEST(ExactPower, SquaresAndMultipliesFromTheLowestBit) {
  for (const double x : {0.9, 0.999, 1.0, -1.5}) {
    EXPECT_EQ(exact_power(x, 0), 1);
    EXPECT_EQ(exact_power(x, 1), x);
    EXPECT_EQ(exact_power(x, 2), x * x);
    EXPECT_EQ(exact_power(x, 3), x * (x * x));
    const double x2 = x * x, x4 = x2 * x2;
    EXPECT_EQ(exact_power(x, 7), (x * x2) * x4);
  }
  EXPECT_EQ(exact_power(2, 1023), 0x1p1023);
  EXPECT_NEAR(exact_power(0.999, 100000), std::pow(0.999, 100000), 1e-55);
}

TEST(ScalarMath, KeepsItsPinnedBits) {
  EXPECT_EQ(exact_cos(1.0), 0x1.14a280fb5068cp-1);
  EXPECT_EQ(exact_sin(100000.5), -0x1.ca7e13c8a7c7fp-2);
  EXPECT_EQ(exact_exp(-13.7), 0x1.2d4ded4836777p-20);
  EXPECT_EQ(exact_log(49152.0), 0x1.59af7ee709313p+3);
}

}  // namespace
}  // namespace aftune::numerics
