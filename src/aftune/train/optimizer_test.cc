// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "aftune/model/tiny_llama_testing.h"

namespace aftune::train {
namespace {

using model::testing::TestEngine;

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(Schedule, ConstantIsThePeakInEveryStep) {
  const ScheduleSpec schedule{ScheduleKind::kConstant, 0.125, 0, 0};
  for (const std::uint64_t step : {0ULL, 1ULL, 1'000'000ULL}) {
    EXPECT_EQ(learning_rate(schedule, step), 0.125);
  }
}

TEST(Schedule, WarmupCosineIsTheClosedForm) {
  constexpr std::uint64_t kTotal = 24;
  for (const std::uint64_t warmup : {0ULL, 1ULL, 4ULL, 23ULL}) {
    const ScheduleSpec schedule{ScheduleKind::kWarmupCosine, 1e-4, warmup, kTotal};
    for (std::uint64_t step = 0; step < kTotal; ++step) {
      const double at = static_cast<double>(step);
      const double expected =
          step < warmup
              ? at / static_cast<double>(warmup)
              : 0.5 * (1 + std::cos(std::numbers::pi * (at - static_cast<double>(warmup)) /
                                    static_cast<double>(kTotal - warmup)));
      EXPECT_NEAR(learning_rate(schedule, step), 1e-4 * expected, 1e-17) << warmup << " " << step;
    }
  }
}

// From transformers' get_cosine_schedule_with_warmup(num_warmup_steps=2, num_training_steps=10).
TEST(Schedule, WarmupCosineIsThatOfTransformers) {
  const ScheduleSpec schedule{ScheduleKind::kWarmupCosine, 1, 2, 10};
  const double expected[] = {0,
                             0.5,
                             1,
                             0.9619397662556434,
                             0.8535533905932737,
                             0.6913417161825449,
                             0.5,
                             0.3086582838174552,
                             0.14644660940672627,
                             0.03806023374435663};
  for (std::uint64_t step = 0; step < 10; ++step) {
    EXPECT_NEAR(learning_rate(schedule, step), expected[step], 1e-13) << step;
  }
}

// From transformers' get_linear_schedule_with_warmup(2, 7) and
// get_constant_schedule_with_warmup(3), to the bit.
TEST(Schedule, LinearAndConstantWithWarmupAreThoseOfTransformers) {
  const ScheduleSpec linear{ScheduleKind::kLinear, 3e-4, 2, 7};
  const double linear_rates[] = {0.0, 0.5, 1.0, 4.0 / 5, 3.0 / 5, 2.0 / 5, 1.0 / 5, 0.0, 0.0};
  const ScheduleSpec constant{ScheduleKind::kConstantWithWarmup, 3e-4, 3, 0};
  const double constant_rates[] = {0.0, 1.0 / 3, 2.0 / 3, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0};
  for (std::uint64_t step = 0; step < 9; ++step) {
    EXPECT_EQ(learning_rate(linear, step), 3e-4 * linear_rates[step]) << step;
    EXPECT_EQ(learning_rate(constant, step), 3e-4 * constant_rates[step]) << step;
  }
}

TEST(Schedule, WithoutWarmupTheFirstRateIsThePeak) {
  EXPECT_EQ(learning_rate({ScheduleKind::kLinear, 0.25, 0, 4}, 0), 0.25);
  EXPECT_EQ(learning_rate({ScheduleKind::kConstantWithWarmup, 0.25, 0, 0}, 0), 0.25);
  EXPECT_EQ(learning_rate({ScheduleKind::kLinear, 0.25, 4, 4}, 4), 0);
}

TEST(Schedule, RateIsZeroFromTheTotalOn) {
  const ScheduleSpec schedule{ScheduleKind::kWarmupCosine, 1e-4, 2, 10};
  for (const std::uint64_t step : {10ULL, 11ULL, 18ULL, 1000ULL}) {
    EXPECT_EQ(learning_rate(schedule, step), 0);
  }
  EXPECT_GT(learning_rate(schedule, 9), 0);
  const ScheduleSpec only_warmup{ScheduleKind::kWarmupCosine, 1e-4, 10, 10};
  EXPECT_EQ(learning_rate(only_warmup, 5), 1e-4 * 0.5);
  EXPECT_EQ(learning_rate(only_warmup, 10), 0);
}

TEST(Clip, FactorIsThatOfTheNormAndRoundedOnce) {
  const GradientSquares squares{{"a", 9.0}, {"b", 16.0}};
  const auto clip = clip_factor({1.0}, squares);
  ASSERT_TRUE(clip);
  EXPECT_EQ(clip->norm, 5.0);
  EXPECT_EQ(clip->factor, static_cast<float>(1.0 / (5.0 + 1e-6)));
}

TEST(Clip, NeverEnlargesAGradient) {
  const GradientSquares squares{{"a", 0.25}};
  EXPECT_EQ(clip_factor({1.0}, squares)->factor, 1);
  EXPECT_EQ(clip_factor({1.0}, {{"a", 0.0}})->factor, 1);
  EXPECT_LT(clip_factor({0.5}, squares)->factor, 1) << "0.5 / (0.5 + 1e-6), as PyTorch has it";
}

TEST(Clip, ZeroMeansNoneButTheNormIsStillThere) {
  const auto clip = clip_factor({0}, {{"a", 1e10}});
  ASSERT_TRUE(clip);
  EXPECT_EQ(clip->factor, 1);
  EXPECT_EQ(clip->norm, 1e5);
}

TEST(Clip, SquaresAddInAscendingNameOrder) {
  // 1 + 2^-53 is 1, four times over; 2^-51 + 1 is more, and so is its root.
  const double tiny = 0x1p-53;
  const auto big_first =
      clip_factor({0}, {{"d", tiny}, {"a", 1.0}, {"b", tiny}, {"c", tiny}, {"e", tiny}});
  const auto big_last =
      clip_factor({0}, {{"z", 1.0}, {"a", tiny}, {"b", tiny}, {"c", tiny}, {"d", tiny}});
  ASSERT_TRUE(big_first && big_last);
  EXPECT_EQ(big_first->norm, 1.0);
  EXPECT_EQ(big_last->norm, 1.0 + 0x1p-52);
}

TEST(Clip, NormThatIsNotFiniteIsRefused) {
  for (const double bad : {kInf, std::numeric_limits<double>::quiet_NaN(), 1e308}) {
    const auto clip = clip_factor({1}, {{"a", bad}, {"b", bad}});
    ASSERT_FALSE(clip);
    EXPECT_EQ(clip.error().code, Code::kNonFinite);
    EXPECT_EQ(clip.error().what, "gradient norm: non-finite value");
  }
}

TensorMap one_tensor(const std::string& name, std::vector<float> values) {
  Tensor tensor = Tensor::zeros({values.size()});
  std::copy(values.begin(), values.end(), tensor.f32().begin());
  TensorMap map;
  map.emplace(name, std::move(tensor));
  return map;
}

// Elements of a tensor that crosses the vector width, all different.
std::vector<float> ramp(float from, float step) {
  std::vector<float> values(37);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = from + step * static_cast<float>(i);
  return values;
}

TEST(Optimizer, AdamWIsTheDoubleReferenceOverTwoSteps) {
  const TestEngine engine;
  const OptimizerSpec spec{OptimizerKind::kAdamW, 0.9, 0.999, 1e-8, 0, 0.01};
  const auto start = ramp(-1, 0.07F);
  const auto gradient = ramp(0.9F, -0.05F);
  BlockState state = initial_state(spec, one_tensor("w", start));
  ASSERT_TRUE(update_block(engine, spec, {1e-2, 0, 0.5F}, one_tensor("w", gradient), state));
  ASSERT_TRUE(update_block(engine, spec, {2e-2, 1, 1}, one_tensor("w", gradient), state));
  for (std::size_t i = 0; i < start.size(); ++i) {
    double p = start[i], m = 0, v = 0;
    for (int t = 1; t <= 2; ++t) {
      const double lr = t == 1 ? 1e-2 : 2e-2;
      const double g = gradient[i] * (t == 1 ? 0.5 : 1.0);
      p -= lr * 0.01 * p;
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      p -= lr / (1 - std::pow(0.9, t)) * m /
           (std::sqrt(v) / std::sqrt(1 - std::pow(0.999, t)) + 1e-8);
    }
    EXPECT_NEAR(state.parameters.at("w").f32()[i], p, 1e-6) << i;
    EXPECT_NEAR(state.first.at("w").f32()[i], m, 1e-7) << i;
    EXPECT_NEAR(state.second.at("w").f32()[i], v, 1e-8) << i;
  }
}

TEST(Optimizer, SgdIsTheDoubleReferenceOverTwoSteps) {
  const TestEngine engine;
  for (const double momentum : {0.0, 0.9}) {
    const OptimizerSpec spec{OptimizerKind::kSgd, 0, 0, 0, momentum, 0.1};
    const auto start = ramp(-1, 0.07F);
    const auto gradient = ramp(0.9F, -0.05F);
    BlockState state = initial_state(spec, one_tensor("w", start));
    EXPECT_EQ(state.first.empty(), momentum == 0);
    EXPECT_TRUE(state.second.empty());
    for (std::uint64_t step = 0; step < 2; ++step) {
      ASSERT_TRUE(update_block(engine, spec, {0.05, step, 0.5F}, one_tensor("w", gradient), state));
    }
    for (std::size_t i = 0; i < start.size(); ++i) {
      double p = start[i], buffer = 0;
      for (int t = 0; t < 2; ++t) {
        buffer = momentum * buffer + 0.5 * gradient[i] + 0.1 * p;
        p -= 0.05 * buffer;
      }
      EXPECT_NEAR(state.parameters.at("w").f32()[i], p, 1e-6) << momentum << " " << i;
    }
  }
}

TEST(Optimizer, NesterovIsTheDoubleReferenceOverThreeSteps) {
  const TestEngine engine;
  const OptimizerSpec spec{OptimizerKind::kSgd, 0, 0, 0, 0.9, 0.1, Decayed::kAll, true};
  const auto start = ramp(-1, 0.07F);
  const auto gradient = ramp(0.9F, -0.05F);
  BlockState state = initial_state(spec, one_tensor("w", start));
  for (std::uint64_t step = 0; step < 3; ++step) {
    ASSERT_TRUE(update_block(engine, spec, {0.05, step, 0.5F}, one_tensor("w", gradient), state));
  }
  for (std::size_t i = 0; i < start.size(); ++i) {
    double p = start[i], buffer = 0;
    for (int t = 0; t < 3; ++t) {
      const double g = 0.5 * gradient[i] + 0.1 * p;
      buffer = 0.9 * buffer + g;
      p -= 0.05 * (g + 0.9 * buffer);
    }
    EXPECT_NEAR(state.parameters.at("w").f32()[i], p, 1e-6) << i;
    EXPECT_NEAR(state.first.at("w").f32()[i], buffer, 1e-6) << i;
  }
}

TEST(Optimizer, NormsAndBiasesHaveNoDecayWhereWeightsAlone) {
  OptimizerSpec spec;
  const std::pair<const char*, bool> names[] = {
      {"model.embed_tokens.weight", true},
      {"model.layers.3.self_attn.q_proj.weight", true},
      {"base_model.model.model.layers.0.mlp.up_proj.lora_A.weight", true},
      {"lm_head.weight", true},
      {"weight", true},
      {"norm_weight", true},
      {"model.norm.weight", false},
      {"base_model.model.model.norm.weight", false},
      {"model.layers.3.input_layernorm.weight", false},
      {"model.layers.3.post_attention_layernorm.weight", false},
      {"model.layers.3.self_attn.k_norm.weight", false},
      {"model.layers.3.self_attn.q_proj.bias", false},
      {"bias", false}};
  for (const auto& [name, decayed] : names) {
    spec.decayed = Decayed::kAll;
    EXPECT_TRUE(is_decayed(spec, name)) << name;
    spec.decayed = Decayed::kWeights;
    EXPECT_EQ(is_decayed(spec, name), decayed) << name;
  }
}

TEST(Optimizer, WithoutGradientOnlyDecayedParametersShrink) {
  const TestEngine engine;
  for (const auto kind : {OptimizerKind::kAdamW, OptimizerKind::kSgd}) {
    const OptimizerSpec spec{kind, 0.9, 0.999, 1e-8, 0, 0.5, Decayed::kWeights};
    TensorMap parameters = one_tensor("up_proj.weight", {1}), gradients;
    parameters.merge(one_tensor("norm.weight", {1}));
    parameters.merge(one_tensor("q_proj.bias", {1}));
    for (const auto& [name, p] : parameters) gradients.emplace(name, Tensor::zeros(p.shape()));
    BlockState state = initial_state(spec, std::move(parameters));
    ASSERT_TRUE(update_block(engine, spec, {0.5, 0, 1}, gradients, state));
    EXPECT_EQ(state.parameters.at("up_proj.weight").f32()[0], 0.75F);
    EXPECT_EQ(state.parameters.at("norm.weight").f32()[0], 1);
    EXPECT_EQ(state.parameters.at("q_proj.bias").f32()[0], 1);
  }
}

TEST(Optimizer, InitialMomentsAreZerosOfTheKindAskedFor) {
  const auto adamw =
      initial_state({OptimizerKind::kAdamW, 0.9, 0.999, 1e-8, 0, 0}, one_tensor("w", {1, 2, 3}));
  ASSERT_EQ(adamw.first.size(), 1U);
  ASSERT_EQ(adamw.second.size(), 1U);
  for (const auto* moments : {&adamw.first, &adamw.second}) {
    EXPECT_EQ(moments->at("w").shape(), Shape{3});
    for (const std::uint8_t byte : moments->at("w").bytes()) EXPECT_EQ(byte, 0);
  }
  EXPECT_EQ(adamw.parameters.at("w").f32()[2], 3);
}

TEST(Optimizer, NonFiniteStateNamesTheTensor) {
  const TestEngine engine;
  for (const auto kind : {OptimizerKind::kAdamW, OptimizerKind::kSgd}) {
    const OptimizerSpec spec{kind, 0.9, 0.999, 1e-8, 0.5, 0};
    BlockState state = initial_state(spec, one_tensor("layer.w", {1, 2, 3}));
    const auto gradient = one_tensor("layer.w", {0, 0, std::numeric_limits<float>::infinity()});
    const auto status = update_block(engine, spec, {1e-2, 0, 1}, gradient, state);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kNonFinite);
    EXPECT_EQ(status.error().what, "update of layer.w: non-finite value");
  }
}

}  // namespace
}  // namespace aftune::train
