// SPDX-License-Identifier: Apache-2.0
#include "aftune/attack/probe.h"

#include <gtest/gtest.h>

#include "aftune/attack/probed_model_testing.h"

namespace aftune::attack {
namespace {

using testing::ProbedModel;

TEST(Probe, LogitsFromEveryEdgeAreThoseOfTheWholeModel) {
  for (const bool tied : {false, true}) {
    const ProbedModel m(tied, 1);
    const Tensor whole = *model::forward_logits(m.engine, m.llama, m.all_parameters(), m.batch);
    for (std::uint32_t edge = 0; edge < m.partition.segments.size(); ++edge) {
      const auto x = m.probe.activation(edge, m.batch);
      ASSERT_TRUE(x) << x.error().what;
      const auto logits = m.probe.logits(edge, *x, m.batch);
      ASSERT_TRUE(logits) << logits.error().what;
      EXPECT_TRUE(std::ranges::equal(logits->bytes(), whole.bytes()))
          << "edge " << edge << (tied ? ", tied" : ", untied");
    }
  }
}

/// The loss that the model gives from `x` at `edge` on.
double loss_from(const ProbedModel& m, std::uint32_t edge, const Tensor& x) {
  auto activation = std::make_shared<const Tensor>(x.clone());
  for (std::uint32_t s = edge;; ++s) {
    const model::Segment& segment = m.partition.segments[s];
    auto output =
        model::segment_forward(m.engine, m.llama, segment, m.states[segment.block].parameters,
                               m.batch, activation, nullptr);
    if (segment.heads) return output->loss;
    activation = std::make_shared<const Tensor>(std::move(output->activation));
  }
}

TEST(Probe, TheGradientIsTheSlopeOfTheLoss) {
  for (const bool tied : {false, true}) {
    const ProbedModel m(tied, 1);
    for (const std::uint32_t edge : {1U, 2U}) {
      const auto x = *m.probe.activation(edge, m.batch);
      Probe::BlockGradients gradients;
      const Tensor gradient = *m.probe.gradient(edge, x, m.batch, gradients);
      const double size = l2_norm(gradient.f32());
      ASSERT_GT(size, 0);
      const double step = 1e-2 * l2_norm(x->f32());
      Tensor up = x->clone(), down = x->clone();
      for (std::size_t i = 0; i < gradient.f32().size(); ++i) {
        const auto by = static_cast<float>(step / size) * gradient.f32()[i];
        up.f32()[i] += by;
        down.f32()[i] -= by;
      }
      const double slope = (loss_from(m, edge, up) - loss_from(m, edge, down)) / (2 * step);
      EXPECT_NEAR(slope, size, 0.05 * size) << "edge " << edge;
    }
  }
}

TEST(Probe, GradientsOfASecondCallAreNotAddedToTheFirst) {
  const ProbedModel m(true, 1);
  Probe::BlockGradients once, twice;
  ASSERT_TRUE(m.probe.gradient(0, nullptr, m.batch, once));
  ASSERT_TRUE(m.probe.gradient(0, nullptr, m.batch, twice));
  ASSERT_TRUE(m.probe.gradient(0, nullptr, m.batch, twice));
  ASSERT_EQ(once.size(), m.partition.block_count);
  for (const auto& [block, map] : once) {
    for (const auto& [name, tensor] : map) {
      EXPECT_TRUE(std::ranges::equal(tensor.bytes(), twice.at(block).at(name).bytes())) << name;
    }
  }
}

TEST(TopTwo, NamesTheTwoLargestAndTheirDistance) {
  Tensor logits = Tensor::zeros({2, 4});
  const float rows[] = {1, 5, 2, 4.5F, -1, -2, -0.5F, -3};
  std::copy(std::begin(rows), std::end(rows), logits.data());
  const TopTwo first = top_two(logits, 0), second = top_two(logits, 1);
  EXPECT_EQ(first.first, 1);
  EXPECT_EQ(first.second, 3);
  EXPECT_EQ(first.margin, 0.5F);
  EXPECT_EQ(second.first, 2);
  EXPECT_EQ(second.second, 0);
}

TEST(OneRow, IsThatRowAlone) {
  const ProbedModel m(false, 1);
  const model::MicroBatch row = one_row(m.batch, 1);
  EXPECT_EQ(row.rows, 1U);
  EXPECT_EQ(row.counted, 1U);
  for (std::size_t i = 0; i < row.sequence; ++i) {
    EXPECT_EQ(row.tokens[i], m.batch.tokens[m.batch.sequence + i]);
    EXPECT_EQ(row.targets[i], m.batch.targets[m.batch.sequence + i]);
  }
}

}  // namespace
}  // namespace aftune::attack
