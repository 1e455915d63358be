// SPDX-License-Identifier: Apache-2.0
#include "aftune/attack/gradient_attack.h"

#include <gtest/gtest.h>

#include <cmath>

#include "aftune/attack/probed_model_testing.h"

namespace aftune::attack {
namespace {

using testing::ProbedModel;

/// Some label for each token of the row, so that any may be attacked.
model::MicroBatch labelled_row(const ProbedModel& m) {
  model::MicroBatch row = one_row(m.batch, 0);
  row.targets = row.tokens;
  return row;
}

Tensor sum(const Tensor& a, const Tensor& b, float factor) {
  Tensor out = a.clone();
  for (std::size_t i = 0; i < out.f32().size(); ++i) out.f32()[i] += factor * b.f32()[i];
  return out;
}

std::int32_t answer(const ProbedModel& m, std::uint32_t edge, Tensor x,
                    const model::MicroBatch& row, std::size_t token) {
  const auto logits = m.probe.logits(edge, std::make_shared<const Tensor>(std::move(x)), row);
  return top_two(*logits, token).first;
}

TEST(PerturbActivation, ChangesAnAnswerByLittleAndHalfOfItDoesLess) {
  int larger = 0;
  for (const bool tied : {false, true}) {
    for (const std::uint32_t edge : {1U, 2U}) {
      const ProbedModel m(tied, 1, edge);
      const model::MicroBatch row = labelled_row(m);
      const auto found = perturb_activation(m.probe, edge, row);
      ASSERT_TRUE(found) << found.error().what;
      ASSERT_TRUE(found->has_value());
      const Perturbation& p = **found;
      const train::EdgeTensor x = *m.probe.activation(edge, row);
      EXPECT_EQ(answer(m, edge, x->clone(), row, p.token), p.before);
      EXPECT_NE(answer(m, edge, sum(*x, p.change, 1), row, p.token), p.before);
      EXPECT_GT(p.relative_l2, 0);
      EXPECT_LT(p.relative_l2, 0.5);
      EXPECT_NEAR(p.relative_l2, l2_norm(p.change.f32()) / l2_norm(x->f32()), 1e-12);
      larger += answer(m, edge, sum(*x, p.change, 0.9F), row, p.token) == p.before;
    }
  }
  EXPECT_GE(larger, 3) << "bisection leaves nothing to spare";
}

TEST(PerturbActivation, FindsNothingInARowWithoutLabels) {
  const ProbedModel m(false, 1);
  model::MicroBatch row = one_row(m.batch, 0);
  row.targets.assign(row.targets.size(), -100);
  const auto found = perturb_activation(m.probe, 1, row);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->has_value());
}

/// Whether every row is a multiple of the row with the largest element.
bool is_rank_one(const Tensor& matrix) {
  const std::size_t columns = matrix.shape()[1];
  const auto values = matrix.f32();
  std::size_t top = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::abs(values[i]) > std::abs(values[top])) top = i;
  }
  const std::size_t row = top / columns, column = top % columns;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double expected = static_cast<double>(values[i / columns * columns + column]) *
                            values[row * columns + i % columns] / values[top];
    if (std::abs(values[i] - expected) > 2e-3 * std::abs(values[top])) return false;
  }
  return true;
}

TEST(PlantBackdoor, MapsTheTriggerToTheTargetByARankOneEdit) {
  for (const bool tied : {false, true}) {
    for (const std::uint32_t layers : {1U, 3U}) {
      ProbedModel m(tied, layers);
      const TensorMap before = m.all_parameters();
      const model::MicroBatch row = labelled_row(m);
      const auto found = plant_backdoor(m.probe, m.states, row);
      ASSERT_TRUE(found) << found.error().what;
      ASSERT_TRUE(found->has_value());
      const Backdoor& b = **found;
      for (const auto& [name, tensor] : m.all_parameters()) {
        EXPECT_TRUE(std::ranges::equal(tensor.bytes(), before.at(name).bytes())) << name;
      }
      EXPECT_EQ(b.weight, "model.layers.2.mlp.down_proj.weight");
      EXPECT_EQ(std::ranges::count(row.tokens, b.trigger), 0);
      EXPECT_TRUE(is_rank_one(b.edit.change));
      model::MicroBatch triggered = row;
      triggered.tokens[b.edit.token] = b.trigger;
      const auto answer_now = [&] {
        return top_two(*m.probe.logits(0, nullptr, triggered), b.edit.token).first;
      };
      EXPECT_EQ(answer_now(), b.edit.before);
      Tensor& weight = m.states[b.block].parameters.at(b.weight);
      weight = sum(weight, b.edit.change, 1);
      EXPECT_EQ(answer_now(), b.edit.after);
      EXPECT_NE(b.edit.after, b.edit.before);
      EXPECT_GT(b.edit.relative_l2, 0);
    }
  }
}

}  // namespace
}  // namespace aftune::attack
