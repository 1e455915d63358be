// SPDX-License-Identifier: Apache-2.0
// Adapters inside image classifiers: gradients by the chain rule, what is frozen left alone, masks,
// and the same bits on every machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "aftune/model/adapted_model_testing.h"
#include "aftune/model/adapter_folder.h"
#include "aftune/model/peft_names.h"
#include "aftune/model/segment_call.h"
#include "aftune/model/tiny_vision_testing.h"
#include "aftune/numerics/dropout.h"
#include "aftune/numerics/loss.h"

namespace aftune::model {
namespace {

using testing::AdaptedModel;
using testing::chained;
using testing::error_of;
using testing::TestEngine;
using testing::TinyVision;

class EachAdaptedVision : public ::testing::TestWithParam<TinyVision> {
 protected:
  /// Adapters on every linear layer.
  static AdaptedModel adapted(double dropout = 0, std::vector<std::string> saved = {}) {
    const LlamaConfig& config = GetParam().config;
    return {testing::make_vision(config),
            testing::random_vision_parameters(config, 11),
            testing::random_images(config, 3, 5),
            {3, 6, dropout, false, linear_modules(config), std::move(saved)}};
  }
  struct Beside {
    std::string weight;  // of the base
    PeftModule module;
  };
  /// What adapters stand beside in a layer.
  static std::vector<Beside> targets(std::uint32_t layer) {
    std::vector<Beside> out;
    const std::string in_layer = "layer." + std::to_string(layer) + ".";
    for (const TensorSpec& spec : parameter_specs(GetParam().config)) {
      const bool here = spec.name.find(in_layer) != std::string::npos;
      if (!here || spec.shape.size() != 2) continue;
      for (PeftModule& module : peft_modules(spec.name, spec.shape[0])) {
        out.push_back({spec.name, std::move(module)});
      }
    }
    return out;
  }
  static std::size_t targets_a_layer() { return linear_modules(GetParam().config).size(); }
  /// The rows of a weight's gradient that a module makes.
  static Tensor rows_of(const Tensor& gradient, const PeftModule& module) {
    const std::size_t width = gradient.shape()[1];
    const std::size_t rows = gradient.shape()[0] / (module.half ? 2 : 1);
    Tensor out = Tensor::zeros({rows, width});
    std::copy_n(gradient.data() + module.first_row * width, rows * width, out.data());
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Vision, EachAdaptedVision, ::testing::ValuesIn(testing::tiny_visions(2)),
                         [](const auto& p) { return p.param.name; });

TEST_P(EachAdaptedVision, GradientsAreThoseOfTheMergedModelByTheChainRule) {
  const TestEngine engine;
  const AdaptedModel model = adapted();
  const auto got = model.gradients(engine);
  ASSERT_TRUE(got) << got.error().what;
  TensorMap merged = testing::clone(model.base);
  merge_into(merged, {*model.llama.lora, testing::clone(model.trained)});
  const auto whole = testing::model_gradients(engine, model.plain(), 1, merged, model.batch);
  ASSERT_TRUE(whole);
  EXPECT_NEAR(got->loss, whole->loss, 1e-3 * whole->loss);
  EXPECT_EQ(got->gradients.size(), 2 * 2 * targets_a_layer());
  for (const std::uint32_t layer : {0U, 1U}) {
    ASSERT_EQ(targets(layer).size(), targets_a_layer());
    for (const Beside& beside : targets(layer)) {
      const Tensor gradient = rows_of(whole->gradients.at(beside.weight), beside.module);
      const std::string a = lora_a_name(beside.module.weight),
                        b = lora_b_name(beside.module.weight);
      EXPECT_LT(
          error_of(got->gradients.at(a).f32(), chained(gradient, model.trained.at(b), true, 2)),
          1e-2)
          << a;
      EXPECT_LT(
          error_of(got->gradients.at(b).f32(), chained(gradient, model.trained.at(a), false, 2)),
          1e-2)
          << b;
    }
  }
}

TEST_P(EachAdaptedVision, SavedModulesHaveTheGradientsOfFullTraining) {
  const TestEngine engine;
  const bool vit = GetParam().config.family == Family::kVit;
  AdaptedModel model = adapted(
      0, vit ? std::vector<std::string>{"classifier", "layernorm", "layernorm_after", "projection"}
             : std::vector<std::string>{"classifier", "layer_scale1", "layernorm", "norm2",
                                        "projection"});
  model.clear_b();
  const auto got = model.gradients(engine);
  const auto whole = testing::model_gradients(engine, model.plain(), 1, model.base, model.batch);
  ASSERT_TRUE(got && whole);
  EXPECT_EQ(got->loss, whole->loss);
  std::size_t saved = 0;
  for (const auto& [name, gradient] : got->gradients) {
    const auto from = base_name(name);
    if (from.empty()) continue;
    EXPECT_TRUE(testing::same_bits(gradient, whole->gradients.find(from)->second)) << name;
    ++saved;
  }
  EXPECT_EQ(saved, vit ? 10U : 12U);
}

TEST_P(EachAdaptedVision, BitsDependNeitherOnKernelsNorThreadsNorBlocks) {
  const AdaptedModel model = adapted(0.25, {"classifier"});
  const TestEngine reference(1, numerics::Isa::kScalar);
  const auto expected = model.gradients(reference);
  ASSERT_TRUE(expected);
  for (const numerics::Isa isa : numerics::available_isas()) {
    for (const unsigned threads : {1U, 3U}) {
      const TestEngine engine(threads, isa);
      for (const std::uint32_t layers : {1U, 2U}) {
        const auto got = model.gradients(engine, layers);
        ASSERT_TRUE(got);
        EXPECT_EQ(got->loss, expected->loss);
        EXPECT_EQ(testing::first_difference(got->gradients, expected->gradients), "");
      }
    }
  }
}

TEST_P(EachAdaptedVision, DropoutIsOfTheStepAndMicroBatchAndOnlyInTraining) {
  const TestEngine engine;
  AdaptedModel model = adapted(0.5);
  const auto loss = [&] { return model.gradients(engine)->loss; };
  const float first = loss();
  EXPECT_EQ(loss(), first);
  model.batch.step = 1;
  EXPECT_NE(loss(), first);
  model.batch.step = 0;
  model.batch.index = 1;
  EXPECT_NE(loss(), first);
  const auto logits = [&] {
    const auto out = forward_logits(engine, model.llama, model.view(), model.batch);
    return std::vector<float>(out->f32().begin(), out->f32().end());
  };
  const auto with = logits();
  model.llama.lora->dropout = 0;
  EXPECT_EQ(logits(), with);
}

/// With one image, the columns of A's gradient that are zero are those where every row of the input
/// was dropped: none here but by the mask, so with one row a target's mask shows.
TEST_P(EachAdaptedVision, EachTargetHasTheMaskOfItsPlace) {
  const TestEngine engine;
  AdaptedModel model = adapted(0.75);
  model.batch = testing::random_images(model.llama.config, 1, 4);
  model.batch.step = 7;
  model.batch.index = 2;
  const auto at = model.gradients(engine);
  ASSERT_TRUE(at);
  const std::size_t tokens = model.llama.config.max_positions;
  std::size_t dropped = 0;
  for (const Beside& beside : targets(0)) {
    const std::string& weight = beside.module.weight;
    const Tensor& gradient = at->gradients.at(lora_a_name(weight));
    const std::size_t width = gradient.shape()[1];
    Tensor mask = Tensor::zeros({tokens, width});
    for (float& value : mask.f32()) value = 1;
    numerics::dropout(engine, {model.llama.dropout_key, 2, lora_place(weight), 7, 0.75},
                      matrix(mask), matrix(mask));
    for (std::size_t column = 0; column < width; ++column) {
      bool kept = false;
      for (std::size_t row = 0; row < tokens; ++row) {
        kept = kept || mask.f32()[row * width + column] != 0;
      }
      dropped += kept ? 0 : 1;
      EXPECT_EQ(gradient.f32()[column] != 0, kept) << weight << " " << column;
    }
  }
  EXPECT_GT(dropped, 0U);
}

}  // namespace
}  // namespace aftune::model
