// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/bias.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "aftune/numerics/internal/test_engines.h"

namespace aftune::numerics {
namespace {

using Values = std::vector<float>;

/// The definition, one column at a time.
float sum_in_lanes(const Values& dy, std::size_t rows, std::size_t cols, std::size_t column) {
  std::array<float, 64> lanes{};
  for (std::size_t t = 0; t < rows; ++t) lanes[t % 64] += dy[t * cols + column];
  for (std::size_t w = 32; w > 0; w /= 2) {
    for (std::size_t t = 0; t < w; ++t) lanes[t] += lanes[t + w];
  }
  return lanes[0];
}

TEST(Bias, IsAddedToEveryRowByOneRounding) {
  for_each_engine([](const Engine& engine, const std::string& name) {
    for (const std::size_t rows : {1, 2, 131}) {
      for (const std::size_t cols : {1, 31, 32, 577}) {
        const Values bias = normal_values(cols, 1), before = normal_values(rows * cols, 2);
        Values y = before;
        add_bias(engine, bias, {y.data(), rows, cols});
        for (std::size_t i = 0; i < y.size(); ++i) {
          ASSERT_EQ(y[i], before[i] + bias[i % cols]) << name << " " << rows << "x" << cols;
        }
      }
    }
  });
}

TEST(Bias, LeavesWhatIsBesideItsColumnsAlone) {
  with_scalar_engine([](const Engine& engine) {
    Values y(3 * 5, 1.0F);
    add_bias(engine, Values{2, 4}, {y.data() + 1, 3, 2, 5});
    EXPECT_EQ(y, (Values{1, 3, 5, 1, 1, 1, 3, 5, 1, 1, 1, 3, 5, 1, 1}));
  });
}

TEST(Bias, GradientIsTheSumInLanesAddedOnce) {
  for_each_engine([](const Engine& engine, const std::string& name) {
    for (const std::size_t rows : {1, 63, 64, 65, 200}) {
      for (const std::size_t cols : {1, 31, 32, 33, 577}) {
        const Values dy = normal_values(rows * cols, 3);
        Values d_bias(cols, 0.25F);
        bias_grad(engine, {dy.data(), rows, cols}, d_bias);
        for (std::size_t i = 0; i < cols; ++i) {
          ASSERT_EQ(d_bias[i], 0.25F + sum_in_lanes(dy, rows, cols, i))
              << name << " " << rows << "x" << cols << " column " << i;
        }
      }
    }
  });
}

TEST(Bias, GradientFollowsTheLanesAndNotTheRows) {
  // In the order of the rows the ones would be lost beside 2^24.
  with_scalar_engine([](const Engine& engine) {
    Values dy(64, 1.0F);
    dy[0] = 0x1p24F;
    Values d_bias(1, 0.0F);
    bias_grad(engine, {dy.data(), 64, 1}, d_bias);
    EXPECT_EQ(d_bias[0], sum_in_lanes(dy, 64, 1, 0));
    EXPECT_GT(d_bias[0], 0x1p24F);
  });
}

TEST(Bias, GradientOfZerosIsPlusZero) {
  with_scalar_engine([](const Engine& engine) {
    const Values dy(3 * 2, -0.0F);
    Values d_bias(2, 0.0F);
    bias_grad(engine, {dy.data(), 3, 2}, d_bias);
    EXPECT_FALSE(std::signbit(d_bias[0]) || std::signbit(d_bias[1]));
  });
}

}  // namespace
}  // namespace aftune::numerics
