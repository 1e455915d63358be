// SPDX-License-Identifier: Apache-2.0
#include "golden/sketch.h"

#include <gtest/gtest.h>

#include <cmath>

namespace aftune::golden {
namespace {

TEST(Sketch, HasTheWordsOfTheGenerator) {
  // sketch(numpy.arange(1, 11), 4) of smollm2_parity.py.
  const std::vector<float> values = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(sketch(values, 4), (std::vector<double>{-10, 7, -4, 16}));
}

TEST(Sketch, OfADifferenceHasItsNormOnAverage) {
  std::vector<float> values(1 << 16);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) - 3;
  double squares = 0, expected = 0;
  for (const double x : sketch(values, 1024)) squares += x * x;
  for (const float x : values) expected += static_cast<double>(x) * static_cast<double>(x);
  EXPECT_NEAR(std::sqrt(squares / expected), 1, 0.1);
}

TEST(Sketch, ChangesWithOrderAndSign) {
  const std::vector<float> values = {1, 2, 3};
  EXPECT_NE(sketch(values, 4), sketch(std::vector<float>{2, 1, 3}, 4));
  EXPECT_NE(sketch(values, 4), sketch(std::vector<float>{1, 2, -3}, 4));
}

}  // namespace
}  // namespace aftune::golden
