// SPDX-License-Identifier: Apache-2.0
// Adapters inside a model: what they add, what is left alone, and their gradients.
#include <gtest/gtest.h>

#include <cmath>

#include "aftune/model/adapted_model_testing.h"
#include "aftune/model/adapter_folder.h"
#include "aftune/model/lora.h"
#include "aftune/model/segment_call.h"
#include "aftune/model/tiny_llama_testing.h"
#include "aftune/numerics/dropout.h"

namespace aftune::model {
namespace {

using testing::chained;
using testing::Embeddings;
using testing::error_of;
using testing::TestEngine;

/// All that can be: an untied head too, unless it is saved as a whole.
std::vector<std::string> all_targets(Embeddings embeddings, const std::vector<std::string>& saved) {
  std::vector<std::string> out = linear_modules({});
  const bool is_saved = std::find(saved.begin(), saved.end(), kHeadModule) != saved.end();
  if (embeddings == Embeddings::kUntied && !is_saved) out.emplace_back(kHeadModule);
  std::sort(out.begin(), out.end());
  return out;
}

/// A tiny model with adapters on every linear layer.
struct Adapted : testing::AdaptedModel {
  explicit Adapted(Embeddings embeddings, double dropout = 0,
                   const std::vector<std::string>& saved = {})
      : Adapted(testing::make_llama(testing::tiny_config(2, embeddings)),
                {3, 6, dropout, false, all_targets(embeddings, saved), saved}) {}

 private:
  Adapted(Llama model, LoraSpec spec)
      : AdaptedModel({model.config, model.inv_freq.clone()},
                     testing::random_parameters(model.config, 3),
                     testing::random_batch(model.config, 2, 6, 4), std::move(spec)) {}
};

double norm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

TEST(Adapters, WithBZeroChangeNoBitOfTheForwardPass) {
  TestEngine engine;
  for (const Embeddings embeddings : {Embeddings::kTied, Embeddings::kUntied}) {
    Adapted adapted(embeddings);
    adapted.clear_b();
    const auto got = adapted.gradients(engine);
    const Llama plain = adapted.plain();
    const auto expected = testing::model_gradients(engine, plain, 1, adapted.base, adapted.batch);
    ASSERT_TRUE(got && expected);
    EXPECT_EQ(got->loss, expected->loss);
    for (std::size_t i = 0; i < got->activations.size(); ++i) {
      EXPECT_TRUE(testing::same_bits(got->activations[i], expected->activations[i])) << i;
      EXPECT_TRUE(testing::same_bits(got->d_edges[i], expected->d_edges[i])) << i;
    }
  }
}

TEST(Adapters, GradientsAreThoseOfTheMergedModelByTheChainRule) {
  TestEngine engine;
  for (const Embeddings embeddings : {Embeddings::kTied, Embeddings::kUntied}) {
    const Adapted adapted(embeddings);
    const auto got = adapted.gradients(engine);
    ASSERT_TRUE(got) << got.error().what;
    const Llama plain = adapted.plain();
    TensorMap merged = testing::clone(adapted.base);
    merge_into(merged, {*adapted.llama.lora, testing::clone(adapted.trained)});
    const auto whole = testing::model_gradients(engine, plain, 1, merged, adapted.batch);
    ASSERT_TRUE(whole);
    EXPECT_NEAR(got->loss, whole->loss, 1e-3 * whole->loss);
    std::size_t targets = 0;
    for (const auto& [name, gradient] : whole->gradients) {
      const auto a = adapted.trained.find(lora_a_name(name));
      if (!name.ends_with("_proj.weight") && name != "lm_head.weight") continue;
      ASSERT_NE(a, adapted.trained.end()) << name;
      const Tensor& b = adapted.trained.find(lora_b_name(name))->second;
      EXPECT_LT(error_of(got->gradients.find(lora_a_name(name))->second.f32(),
                         chained(gradient, b, true, 2)),
                2e-3)
          << name;
      EXPECT_LT(error_of(got->gradients.find(lora_b_name(name))->second.f32(),
                         chained(gradient, a->second, false, 2)),
                2e-3)
          << name;
      ++targets;
    }
    EXPECT_EQ(targets, embeddings == Embeddings::kTied ? 14U : 15U);
    // Scaled otherwise it would not fit.
    const std::string q = "model.layers.0.self_attn.q_proj.weight";
    EXPECT_GT(error_of(got->gradients.find(lora_b_name(q))->second.f32(),
                       chained(whole->gradients.find(q)->second,
                               adapted.trained.find(lora_a_name(q))->second, false, 2.1)),
              0.01);
  }
}

TEST(Adapters, SavedModulesHaveTheGradientsOfFullTraining) {
  TestEngine engine;
  Adapted adapted(Embeddings::kUntied, 0, {"embed_tokens", "input_layernorm", "lm_head", "norm"});
  adapted.clear_b();
  const auto got = adapted.gradients(engine);
  const Llama plain = adapted.plain();
  const auto whole = testing::model_gradients(engine, plain, 1, adapted.base, adapted.batch);
  ASSERT_TRUE(got && whole);
  std::size_t saved = 0;
  for (const auto& [name, gradient] : got->gradients) {
    const auto from = base_name(name);
    if (from.empty()) continue;
    EXPECT_TRUE(testing::same_bits(gradient, whole->gradients.find(from)->second)) << name;
    ++saved;
  }
  EXPECT_EQ(saved, 5U);
}

TEST(Adapters, BitsDependNeitherOnKernelsNorThreadsNorBlocks) {
  for (const double dropout : {0.0, 0.25}) {
    const Adapted adapted(Embeddings::kUntied, dropout, {"norm"});
    TestEngine reference(1, numerics::Isa::kScalar);
    const auto expected = adapted.gradients(reference);
    ASSERT_TRUE(expected);
    for (const numerics::Isa isa : numerics::available_isas()) {
      for (const unsigned threads : {1U, 3U}) {
        TestEngine engine(threads, isa);
        for (const std::uint32_t layers : {1U, 2U}) {
          const auto got = adapted.gradients(engine, layers);
          ASSERT_TRUE(got);
          EXPECT_EQ(got->loss, expected->loss);
          EXPECT_EQ(testing::first_difference(got->gradients, expected->gradients), "");
        }
      }
    }
  }
}

TEST(Adapters, DropoutIsOfTheStepAndMicroBatchAndOnlyInTraining) {
  TestEngine engine;
  Adapted adapted(Embeddings::kTied, 0.5);
  const auto loss = [&] { return adapted.gradients(engine)->loss; };
  const float first = loss();
  EXPECT_EQ(loss(), first);
  adapted.batch.step = 1;
  const float other_step = loss();
  EXPECT_NE(other_step, first);
  adapted.batch.step = 0;
  adapted.batch.index = 1;
  EXPECT_NE(loss(), first);
  EXPECT_NE(loss(), other_step);
  adapted.batch.index = 0;
  adapted.llama.dropout_key[0] += 1;
  EXPECT_NE(loss(), first);
  const auto logits = [&] {
    const auto out = forward_logits(engine, adapted.llama, adapted.view(), adapted.batch);
    return std::vector<float>(out->f32().begin(), out->f32().end());
  };
  const auto with = logits();
  adapted.llama.lora->dropout = 0;
  EXPECT_EQ(logits(), with);
}

/// Only the first token has a target, so of A's gradient only the columns that its mask keeps are
/// not zero: they show the mask of each target of the last layer.
TEST(Adapters, EachTargetHasTheMaskOfItsPlace) {
  TestEngine engine;
  Adapted adapted(Embeddings::kUntied, 0.5);
  adapted.batch = testing::random_batch(adapted.llama.config, 1, 6, 4);
  for (std::size_t i = 1; i < 6; ++i) adapted.batch.targets[i] = numerics::kIgnoredLabel;
  adapted.batch.counted = 1;
  adapted.batch.step = 7;
  adapted.batch.index = 2;
  const auto at = adapted.gradients(engine);
  ASSERT_TRUE(at);
  const std::string layer = "model.layers.1.";
  for (const std::string& weight :
       {layer + "self_attn.v_proj.weight", layer + "mlp.gate_proj.weight",
        layer + "mlp.up_proj.weight", layer + "mlp.down_proj.weight",
        std::string("lm_head.weight")}) {
    const Tensor& gradient = at->gradients.find(lora_a_name(weight))->second;
    const std::size_t width = gradient.shape()[1];
    Tensor mask = Tensor::zeros({6, width});
    for (float& value : mask.f32()) value = 1;
    numerics::dropout(engine, {adapted.llama.dropout_key, 2, lora_place(weight), 7, 0.5},
                      matrix(mask), matrix(mask));
    for (std::size_t column = 0; column < width; ++column) {
      EXPECT_EQ(gradient.f32()[column] != 0, mask.f32()[column] != 0) << weight << " " << column;
    }
  }
}

TEST(Adapters, GradientsWithDropoutFollowTheLoss) {
  TestEngine engine;
  Adapted adapted(Embeddings::kUntied, 0.25);
  const auto at = adapted.gradients(engine);
  ASSERT_TRUE(at);
  for (const char* part : {"layers.0.self_attn.q_proj.lora_A", "layers.0.mlp.down_proj.lora_B",
                           "layers.1.mlp.up_proj.lora_A"}) {
    const std::string name = std::string("base_model.model.model.") + part + ".weight";
    const Tensor& gradient = at->gradients.find(name)->second;
    const double slope = norm(gradient.f32());
    const double length = 0.05;
    const auto moved = [&](double by) {
      Tensor& tensor = adapted.trained.find(name)->second;
      const Tensor honest = tensor.clone();
      for (std::size_t i = 0; i < tensor.f32().size(); ++i) {
        tensor.f32()[i] += static_cast<float>(by * gradient.f32()[i] / slope);
      }
      const double loss = adapted.gradients(engine)->loss;
      tensor = honest.clone();
      return loss;
    };
    const double measured = (moved(length) - moved(-length)) / (2 * length);
    EXPECT_NEAR(measured / slope, 1, 0.05) << name;
  }
}

TEST(Adapters, AValueThatIsNotFiniteIsNamedByItsTensor) {
  TestEngine engine;
  const std::string stem = "base_model.model.model.layers.1.mlp.gate_proj.";
  for (const char* part : {"lora_A.weight", "lora_B.weight"}) {
    Adapted adapted(Embeddings::kUntied);
    adapted.trained.find(stem + part)->second.f32()[0] = std::nanf("");
    const auto got = adapted.gradients(engine);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::kNonFinite);
    EXPECT_EQ(got.error().what, stem + part + ": product: non-finite value");
  }
}

}  // namespace
}  // namespace aftune::model
