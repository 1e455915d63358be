// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/loss.h"

#include <gtest/gtest.h>

#include "aftune/numerics/internal/test_engines.h"

namespace aftune::numerics {
namespace {

using Values = std::vector<float>;
using Labels = std::vector<std::int32_t>;

/// The loss and the softmax in fp64.
struct Truth {
  double loss = 0;
  std::vector<double> gradient;
};

Truth truth_of(const Values& logits, std::size_t cols, const Labels& labels, double counted) {
  Truth truth{0, std::vector<double>(logits.size())};
  for (std::size_t t = 0; t < labels.size(); ++t) {
    if (labels[t] == kIgnoredLabel) continue;
    const auto label = static_cast<std::size_t>(labels[t]);
    const float* row = &logits[t * cols];
    const double top = *std::max_element(row, row + cols);
    double sum = 0;
    for (std::size_t v = 0; v < cols; ++v) sum += std::exp(row[v] - top);
    for (std::size_t v = 0; v < cols; ++v) {
      truth.gradient[t * cols + v] =
          (std::exp(row[v] - top) / sum - (v == label ? 1 : 0)) / counted;
    }
    truth.loss += (std::log(sum) + top - row[label]) / counted;
  }
  return truth;
}

Labels labels_of(std::size_t rows, std::size_t cols) {
  Labels labels(rows);
  for (std::size_t t = 0; t < rows; ++t) {
    labels[t] = t % 4 == 3 ? kIgnoredLabel : static_cast<std::int32_t>(t * 37 % cols);
  }
  return labels;
}

TEST(CrossEntropy, IsNearTheTrueLossAndGradient) {
  for (const std::size_t cols : {1, 2, 63, 64, 65, 1000}) {
    const std::size_t rows = 9;
    const Values logits = normal_values(rows * cols, 1, 5);
    const Labels labels = labels_of(rows, cols);
    const Truth truth = truth_of(logits, cols, labels, 21);
    with_scalar_engine([&](const Engine& engine) {
      Values z = logits;
      const auto loss = cross_entropy(engine, {z.data(), rows, cols}, labels, 21, true);
      ASSERT_TRUE(loss) << loss.error().what;
      EXPECT_NEAR(*loss, truth.loss, 1e-6 * truth.loss + 1e-9);
      for (std::size_t i = 0; i < z.size(); ++i) ASSERT_NEAR(z[i], truth.gradient[i], 1e-7) << i;
    });
  }
}

TEST(CrossEntropy, GivesTheSameBitsOnEveryEngine) {
  const std::size_t rows = 17, cols = 1030;
  const Values logits = normal_values(rows * cols, 1, 20);
  const Labels labels = labels_of(rows, cols);
  Values first;
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Values z = logits;
    const auto only_loss = cross_entropy(engine, {z.data(), rows, cols}, labels, 30, false);
    ASSERT_TRUE(only_loss);
    EXPECT_EQ(z, logits) << "the logits changed, " << name;
    const auto loss = cross_entropy(engine, {z.data(), rows, cols}, labels, 30, true);
    ASSERT_TRUE(loss);
    EXPECT_EQ(*loss, *only_loss) << name;
    z.push_back(*loss);
    if (first.empty()) first = z;
    EXPECT_EQ(first_difference(first, z), z.size()) << name;
  });
}

TEST(CrossEntropy, DividesByTheCountOfTheWholeStep) {
  Values z = {0, 0};
  with_scalar_engine([&](const Engine& engine) {
    const auto loss = cross_entropy(engine, {z.data(), 1, 2}, Labels{0}, 3, true);
    ASSERT_TRUE(loss);
    EXPECT_EQ(*loss, static_cast<float>(std::log(2.0) / 3));
    EXPECT_EQ(z, (Values{-0.5f * (1.0f / 3), 0.5f * (1.0f / 3)}));
  });
}

TEST(CrossEntropy, WritesZerosWhereThereIsNoLabel) {
  Values z = {1, NAN, -INFINITY, 4};
  with_scalar_engine([&](const Engine& engine) {
    const auto loss =
        cross_entropy(engine, {z.data(), 2, 2}, Labels{kIgnoredLabel, kIgnoredLabel}, 1, true);
    ASSERT_TRUE(loss) << "a row without a label is not read";
    EXPECT_EQ(first_difference({*loss}, {0.0f}), 1u);
    EXPECT_EQ(first_difference(z, Values(4)), 4u);
  });
}

TEST(CrossEntropy, IsFiniteForTheLargestLogits) {
  Values z = {3e38f, -3e38f, 3e38f};
  with_scalar_engine([&](const Engine& engine) {
    const auto loss = cross_entropy(engine, {z.data(), 1, 3}, Labels{0}, 1, true);
    ASSERT_TRUE(loss);
    EXPECT_EQ(*loss, static_cast<float>(std::log(2.0)));
    EXPECT_EQ(z, (Values{-0.5f, 0, 0.5f}));
  });
}

TEST(CrossEntropy, RefusesWhatIsNotFinite) {
  struct Lie {
    std::string name;
    std::size_t at;
    float value;
  };
  const Lie lies[] = {{"NaN", 70, NAN},
                      {"negative NaN", 70, -NAN},
                      {"infinity", 70, INFINITY},
                      {"minus infinity", 70, -INFINITY},
                      {"NaN at the label", 65, NAN},
                      {"NaN at the end", 129, NAN}};
  for_each_engine([&](const Engine& engine, const std::string& engine_name) {
    for (const Lie& lie : lies) {
      for (const bool gradient : {false, true}) {
        Values z(130, 0.5f);
        z[lie.at] = lie.value;
        const auto loss = cross_entropy(engine, {z.data(), 2, 65}, Labels{1, 0}, 2, gradient);
        ASSERT_FALSE(loss) << lie.name << ", " << engine_name;
        EXPECT_EQ(loss.error().code, Code::kNonFinite);
        EXPECT_EQ(loss.error().what, "logits row 1 of 2 is not finite");
      }
    }
  });
}

TEST(CrossEntropy, RefusesALossAboveTheFiniteNumbers) {
  Values z = {3e38f, -3e38f};
  with_scalar_engine([&](const Engine& engine) {
    const auto loss = cross_entropy(engine, {z.data(), 1, 2}, Labels{1}, 1, true);
    ASSERT_FALSE(loss);
    EXPECT_EQ(loss.error().what, "the loss is not finite");
  });
}

TEST(CrossEntropyDeathTest, RefusesLabelsOutsideTheVocabulary) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Values z = {1, 2};
  with_scalar_engine([&](const Engine& engine) {
    EXPECT_DEATH((void)cross_entropy(engine, {z.data(), 1, 2}, Labels{2}, 1, true), "vocabulary");
    EXPECT_DEATH((void)cross_entropy(engine, {z.data(), 1, 2}, Labels{-1}, 1, true), "vocabulary");
    EXPECT_DEATH((void)cross_entropy(engine, {z.data(), 1, 2}, Labels{0}, 0, true), "counted");
  });
}

}  // namespace
}  // namespace aftune::numerics
