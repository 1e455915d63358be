// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/attention.h"

#include <gtest/gtest.h>

#include <limits>

#include "aftune/numerics/internal/test_attention.h"

namespace aftune::numerics {
namespace {

TEST(Attention, EqualsThePageAtEverySmallLength) {
  for (std::size_t length = 1; length <= 34; ++length) {
    expect_paper_bits({1, length, 1, 1, 6, 0.4f}, 2.0f, false);
  }
}

TEST(Attention, EqualsThePageAroundLanesAndBlocks) {
  for (const std::size_t length : {63, 64, 65, 127, 129, 255, 256, 257}) {
    expect_paper_bits({1, length, 1, 1, 8, 0.35f}, 1.5f, false);
  }
  expect_paper_bits({1, 520, 1, 1, 5, 0.35f}, 1.0f, false);
}

TEST(Attention, EqualsThePageForWideHeads) {
  for (const std::size_t width : {1, 33, 64, 80, 256, 300}) {
    expect_paper_bits({1, 9, 1, 1, width, 0.1f}, 1.0f, false);
  }
}

TEST(Attention, EqualsThePageForGroupsAndBatchesOnAnyThreads) {
  expect_paper_bits({3, 20, 6, 2, 16, 0.25f}, 1.0f, true);
  expect_paper_bits({2, 7, 4, 1, 10, 0.3f}, 3.0f, true);
}

TEST(Attention, EqualsThePageWhereScoresLieFarApart) {
  // Most probabilities are +0, the rest nearly 1 or subnormal after weighting.
  expect_paper_bits({1, 40, 2, 1, 16, 0.25f}, 30.0f, false);
}

TEST(Attention, RowsDependOnNoLaterKey) {
  const AttentionShape shape{1, 140, 2, 1, 12, 0.3f};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    AttentionTensors x(shape);
    ASSERT_TRUE(x.forward(engine));
    for (const std::size_t row : {0, 1, 63, 127, 128, 138}) {
      AttentionTensors y(shape);
      for (std::size_t i = y.at(0, row + 1, 0, 1); i < y.k.size(); ++i) {
        y.k[i] = 1000.0f - y.k[i];
        y.v[i] *= -1e6f;
      }
      ASSERT_TRUE(y.forward(engine));
      const auto end = static_cast<std::ptrdiff_t>(x.at(0, row + 1, 0, 2));
      EXPECT_TRUE(std::equal(x.o.begin(), x.o.begin() + end, y.o.begin())) << name << row;
      EXPECT_FALSE(std::equal(x.o.begin() + end, x.o.end(), y.o.begin() + end)) << name << row;
    }
  });
}

TEST(Attention, SequencesOfABatchStandAlone) {
  const AttentionShape one{1, 30, 3, 1, 8, 0.3f};
  const AttentionShape two{2, 30, 3, 1, 8, 0.3f};
  with_scalar_engine([&](const Engine& engine) {
    AttentionTensors batch(two);
    ASSERT_TRUE(batch.forward(engine));
    AttentionTensors alone(one);
    const auto copy = [](const std::vector<float>& from, std::vector<float>& to) {
      std::copy_n(from.end() - static_cast<std::ptrdiff_t>(to.size()), to.size(), to.begin());
    };
    copy(batch.q, alone.q);
    copy(batch.k, alone.k);
    copy(batch.v, alone.v);
    ASSERT_TRUE(alone.forward(engine));
    EXPECT_TRUE(std::equal(alone.o.rbegin(), alone.o.rend(), batch.o.rbegin()));
  });
}

/// The sum over outputs of d_o * attention(q, k, v), in fp64.
double objective(const AttentionTensors& x) {
  const AttentionShape& s = x.shape;
  double total = 0;
  for (std::size_t b = 0; b < s.batch; ++b) {
    for (std::size_t h = 0; h < s.heads; ++h) {
      const std::size_t g = h / (s.heads / s.kv_heads);
      for (std::size_t i = 0; i < s.sequence; ++i) {
        double sum = 0, value = 0;
        for (std::size_t j = 0; j < (s.mask == Mask::kFull ? s.sequence : i + 1); ++j) {
          double score = 0, product = 0;
          for (std::size_t c = 0; c < s.head_dim; ++c) {
            const std::size_t key = x.at(b, j, g, s.kv_heads) + c;
            const std::size_t query = x.at(b, i, h, s.heads) + c;
            score += double{x.q[query]} * double{x.k[key]};
            product += double{x.d_o[query]} * double{x.v[key]};
          }
          const double weight = std::exp(score * double{s.scale});
          sum += weight;
          value += weight * product;
        }
        total += value / sum;
      }
    }
  }
  return total;
}

/// Relative error of a gradient against central differences of the fp64 objective.
double gradient_error(const AttentionTensors& x, std::vector<float> AttentionTensors::*input,
                      const std::vector<float>& gradient) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    constexpr float kStep = 0x1p-10f;
    AttentionTensors up = x;
    AttentionTensors down = x;
    (up.*input)[i] += kStep;
    (down.*input)[i] -= kStep;
    const double width = double{(up.*input)[i]} - double{(down.*input)[i]};
    const double exact = (objective(up) - objective(down)) / width;
    error += (double{gradient[i]} - exact) * (double{gradient[i]} - exact);
    size += exact * exact;
  }
  return std::sqrt(error / size);
}

TEST(Attention, GradientsAreThoseOfTheFunction) {
  with_scalar_engine([&](const Engine& engine) {
    for (const Mask mask : {Mask::kCausal, Mask::kFull}) {
      AttentionTensors x({2, 7, 4, 2, 5, 0.45f, mask});
      ASSERT_TRUE(x.forward(engine));
      ASSERT_TRUE(x.backward(engine));
      EXPECT_LT(gradient_error(x, &AttentionTensors::q, x.dq), 1e-3);
      EXPECT_LT(gradient_error(x, &AttentionTensors::k, x.dk), 1e-3);
      EXPECT_LT(gradient_error(x, &AttentionTensors::v, x.dv), 1e-3);
      x.dq[3] += 0.01f;  // the check can fail
      EXPECT_GT(gradient_error(x, &AttentionTensors::q, x.dq), 1e-3);
    }
  });
}

TEST(Attention, NonFiniteOperandsAreRefusedInEveryPlace) {
  const float lies[] = {std::numeric_limits<float>::infinity(),
                        std::numeric_limits<float>::quiet_NaN(), -0x1p70f};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    for (const float lie : lies) {
      const AttentionShape shape{1, 9, 2, 1, 6, 0.3f};
      for (const auto input : {&AttentionTensors::q, &AttentionTensors::k, &AttentionTensors::v}) {
        AttentionTensors x(shape);
        (x.*input).back() = lie;
        const Status done = x.forward(engine);
        ASSERT_FALSE(done) << name;
        EXPECT_EQ(done.error().code, Code::kNonFinite);
      }
      AttentionTensors x(shape);
      ASSERT_TRUE(x.forward(engine));
      x.d_o.back() = lie;
      EXPECT_FALSE(x.backward(engine)) << name;
    }
  });
}

TEST(Attention, ScoresThatOverflowFailOnlyWhereTheyAreSeen) {
  // Query 0 times key 1 overflows; query 1 is zero, so nothing that is seen does.
  const AttentionShape shape{1, 2, 1, 1, 1, 1.0f};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    AttentionTensors x(shape);
    x.q = {0x1p69f, 0.0f};
    x.k = {1.0f, 0x1p69f};
    EXPECT_TRUE(x.forward(engine)) << name;
    x.q = {0x1p69f, 0x1p69f};
    EXPECT_FALSE(x.forward(engine)) << name;
    // A difference of scores may overflow: its weight is +0.
    x.q = {1.0f, 0x1p63f};
    x.k = {-0x1.8p64f, 0x1.8p64f};
    x.v = {5.0f, 7.0f};
    ASSERT_TRUE(x.forward(engine)) << name;
    EXPECT_EQ(x.o[1], 7.0f) << name;
  });
}

}  // namespace
}  // namespace aftune::numerics
