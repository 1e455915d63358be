// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/lora.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "aftune/model/tiny_vision_testing.h"
#include "aftune/numerics/philox.h"

namespace aftune::model {
namespace {

using testing::Embeddings;
using testing::tiny_config;

LoraSpec spec_of(std::vector<std::string> targets, std::vector<std::string> saved = {}) {
  return {4, 8, 0, false, std::move(targets), std::move(saved)};
}

std::vector<std::string> names_of(const std::vector<TensorSpec>& specs) {
  std::vector<std::string> out;
  for (const TensorSpec& spec : specs) out.push_back(spec.name);
  return out;
}

TEST(Lora, TrainedTensorsHavePeftsNamesAndShapes) {
  const auto specs = trained_specs(tiny_config(1, Embeddings::kUntied),
                                   spec_of({"down_proj", "v_proj"}, {"lm_head", "norm"}));
  const std::string layer = "base_model.model.model.layers.0.";
  const std::vector<TensorSpec> expected = {
      {"base_model.model.lm_head.weight", Dtype::kF32, {19, 12}},
      {layer + "mlp.down_proj.lora_A.weight", Dtype::kF32, {4, 20}},
      {layer + "mlp.down_proj.lora_B.weight", Dtype::kF32, {12, 4}},
      {layer + "self_attn.v_proj.lora_A.weight", Dtype::kF32, {4, 12}},
      {layer + "self_attn.v_proj.lora_B.weight", Dtype::kF32, {8, 4}},
      {"base_model.model.model.norm.weight", Dtype::kF32, {12}}};
  EXPECT_EQ(specs, expected);
}

TEST(Lora, TheHeadIsATargetOfItsOwnInTheLastBlock) {
  const LlamaConfig config = tiny_config(3, Embeddings::kUntied);
  const LoraSpec lora = spec_of({"k_proj", "lm_head"});
  const auto specs = trained_specs(config, lora);
  const std::vector<TensorSpec> head = {
      {"base_model.model.lm_head.lora_A.weight", Dtype::kF32, {4, 12}},
      {"base_model.model.lm_head.lora_B.weight", Dtype::kF32, {19, 4}}};
  ASSERT_EQ(specs.size(), 8U);
  EXPECT_TRUE(std::equal(head.begin(), head.end(), specs.begin()));
  EXPECT_EQ(frozen_specs(config, lora), parameter_specs(config));
  const auto last = names_of(of_block(specs, make_partition(config, 1), 2));
  EXPECT_EQ(std::count(last.begin(), last.end(), head[0].name), 1);
  EXPECT_EQ(last.size(), 4U);
}

TEST(Lora, FrozenIsWhatNoSavedModuleReplaces) {
  const LlamaConfig config = tiny_config(2, Embeddings::kUntied);
  const LoraSpec lora = spec_of({"q_proj"}, {"input_layernorm", "lm_head"});
  std::set<std::string> all;
  for (const std::string& name : names_of(frozen_specs(config, lora))) all.insert(name);
  EXPECT_FALSE(all.contains("lm_head.weight"));
  EXPECT_FALSE(all.contains("model.layers.1.input_layernorm.weight"));
  EXPECT_TRUE(all.contains("model.layers.1.self_attn.q_proj.weight"));
  for (const std::string& name : names_of(trained_specs(config, lora))) {
    if (const auto base = base_name(name); !base.empty()) all.insert(base);
  }
  const auto whole = names_of(parameter_specs(config));
  EXPECT_EQ(std::vector<std::string>(all.begin(), all.end()), whole);
}

TEST(Lora, WithoutAdaptersAllIsTrained) {
  const LlamaConfig config = tiny_config(2, Embeddings::kTied);
  EXPECT_EQ(trained_specs(config, std::nullopt), parameter_specs(config));
  EXPECT_TRUE(frozen_specs(config, std::nullopt).empty());
}

TEST(Lora, EachTensorBelongsToTheBlockOfItsBase) {
  const LlamaConfig config = tiny_config(3, Embeddings::kUntied);
  const LoraSpec lora = spec_of(linear_modules(config), {"embed_tokens", "lm_head", "norm"});
  const Partition partition = make_partition(config, 1);
  std::vector<std::string> all;
  for (std::uint32_t block = 0; block < partition.block_count; ++block) {
    const std::string layer = "layers." + std::to_string(block) + ".";
    for (const auto& name : names_of(of_block(trained_specs(config, lora), partition, block))) {
      const bool first = name == "base_model.model.model.embed_tokens.weight";
      const bool last =
          name == "base_model.model.lm_head.weight" || name == "base_model.model.model.norm.weight";
      EXPECT_TRUE(name.find(layer) != std::string::npos || (first && block == 0) ||
                  (last && block == 2))
          << name << " in " << block;
      all.push_back(name);
    }
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, names_of(trained_specs(config, lora)));
}

TEST(Lora, ScalingIsAlphaOverRankOrItsRoot) {
  LoraSpec lora = spec_of({"q_proj"});
  EXPECT_EQ(lora_scaling(lora), 2.0F);
  lora.rslora = true;
  EXPECT_EQ(lora_scaling(lora), 4.0F);
  lora.rank = 8;
  EXPECT_EQ(lora_scaling(lora), static_cast<float>(8 / std::sqrt(8.0)));
  lora = spec_of({"q_proj"});
  lora.alpha = 1;
  lora.rank = 3;
  EXPECT_EQ(lora_scaling(lora), 0x1.555556p-2F);
}

TEST(Lora, WhatCannotBeComputedIsRefusedByName) {
  struct Bad {
    LoraSpec lora;
    bool tied;
    const char* names;
  };
  const auto with = [](auto change) {
    LoraSpec lora = spec_of({"q_proj"});
    change(lora);
    return lora;
  };
  const std::vector<Bad> table = {
      {with([](LoraSpec& l) { l.rank = 0; }), false, "rank 0 is outside 1 to 4096"},
      {with([](LoraSpec& l) { l.rank = 4097; }), false, "rank 4097"},
      {with([](LoraSpec& l) { l.alpha = 0; }), false, "alpha 0"},
      {with([](LoraSpec& l) { l.alpha = -1; }), false, "alpha -1"},
      {with([](LoraSpec& l) { l.alpha = 0x1p-140; }), false, "gives no scaling"},
      {with([](LoraSpec& l) { l.alpha = 0x1p200; }), false, "gives no scaling"},
      {with([](LoraSpec& l) { l.dropout = 1; }), false, "dropout 1"},
      {with([](LoraSpec& l) { l.dropout = -0.0; }), false, "dropout -0"},
      {with([](LoraSpec& l) { l.dropout = std::nan(""); }), false, "dropout nan"},
      {spec_of({}), false, "target_modules is empty"},
      {spec_of({"v_proj", "q_proj"}), false, "target_modules: \"q_proj\" after \"v_proj\""},
      {spec_of({"q_proj", "q_proj"}), false, "is not ascending"},
      {spec_of({"embed_tokens"}), false, "target_modules: \"embed_tokens\" is none of"},
      {spec_of({"lm_head"}), false, "target_modules: lm_head alone, needs at least one of"},
      {spec_of({"lm_head", "q_proj"}), true, "target_modules: lm_head of a model with tied"},
      {spec_of({"lm_head", "q_proj"}, {"lm_head"}), false, "lm_head is a target, too"},
      {spec_of({"q_proj"}, {"q_proj"}), false, "modules_to_save: q_proj is a target, too"},
      {spec_of({"q_proj"}, {"score"}), false, "the model has no module \"score\""},
      {spec_of({"q_proj"}, {"norm", "lm_head"}), false, "is not ascending"},
      {spec_of({"q_proj"}, {"lm_head"}), true, "lm_head of a model with tied embeddings"},
      {spec_of({"q_proj"}, {"embed_tokens"}), true, "embed_tokens of a model with tied"},
  };
  for (const Bad& bad : table) {
    const LlamaConfig config = tiny_config(1, bad.tied ? Embeddings::kTied : Embeddings::kUntied);
    const Status checked = check_lora(bad.lora, config);
    ASSERT_FALSE(checked) << bad.names;
    EXPECT_NE(checked.error().what.find(bad.names), std::string::npos) << checked.error().what;
  }
  EXPECT_TRUE(
      check_lora(spec_of({"q_proj"}, {"lm_head", "norm"}), tiny_config(1, Embeddings::kUntied)));
}

TEST(Lora, ImageClassifiersHaveTargetsOfTheirFamily) {
  const std::vector<std::string> gated = linear_modules(tiny_config(1, Embeddings::kTied));
  const std::vector<std::string> plain = {"fc1", "fc2", "k_proj", "o_proj", "q_proj", "v_proj"};
  const std::string vit = "vit.layers.1.", dino = "dinov2.encoder.layer.1.";
  const struct {
    LlamaConfig config;
    std::vector<std::string> linear;
    std::vector<std::pair<std::string, std::uint32_t>> places;
  } cases[] = {
      {testing::tiny_vision_config(Family::kVit, 2),
       plain,
       {{vit + "attention.q_proj.weight", 7}, {vit + "mlp.fc2.weight", 12}}},
      {testing::tiny_vision_config(Family::kDinov2, 2),
       plain,
       {{dino + "attention.o_proj.weight", 10}, {dino + "mlp.fc1.weight", 11}}},
      {testing::tiny_vision_config(Family::kDinov2, 2, true),
       gated,
       {{dino + "mlp.gate_proj.weight", 11},
        {dino + "mlp.up_proj.weight", 12},
        {dino + "mlp.down_proj.weight", 13}}},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(linear_modules(c.config), c.linear);
    const LoraSpec lora = spec_of(c.linear, {"classifier", "layernorm"});
    EXPECT_TRUE(check_lora(lora, c.config));
    const auto specs = trained_specs(c.config, lora);
    EXPECT_EQ(specs.size(), 2 * 2 * c.linear.size() + 4U);
    const auto names = names_of(specs);
    for (const auto& [weight, place] : c.places) {
      EXPECT_EQ(lora_place(weight), place) << weight;
      EXPECT_TRUE(std::binary_search(names.begin(), names.end(), lora_b_name(weight))) << weight;
    }
    EXPECT_EQ(std::count(names.begin(), names.end(), "base_model.model.classifier.bias"), 1);
    const auto refused = [&](const LoraSpec& bad, std::string_view what) {
      const Status checked = check_lora(bad, c.config);
      ASSERT_FALSE(checked) << what;
      EXPECT_NE(checked.error().what.find(what), std::string::npos) << checked.error().what;
    };
    refused(spec_of({"query"}), "target_modules: \"query\" is none of ");
    refused(spec_of({"lm_head", "q_proj"}), "target_modules: \"lm_head\" is none of");
    refused(spec_of({"classifier"}), "target_modules: \"classifier\" is none of");
    refused(spec_of({"projection"}), "target_modules: \"projection\" is none of");
    refused(spec_of({"q_proj"}, {"embeddings"}), "embeddings, which is more than one module");
    refused(spec_of({"q_proj"}, {"norm"}), "the model has no module \"norm\"");
    refused(spec_of({"q_proj"}, {"query"}), "the model has no module \"query\"");
  }
  const LlamaConfig swiglu = testing::tiny_vision_config(Family::kDinov2, 1, true);
  EXPECT_FALSE(check_lora(spec_of({"fc1"}), swiglu));
  EXPECT_FALSE(check_lora(spec_of({"q_proj"}, {"weights_in"}), swiglu));
  EXPECT_FALSE(check_lora(spec_of({"q_proj"}, {"gate_proj"}), swiglu));
  EXPECT_TRUE(check_lora(spec_of({"q_proj"}, {"down_proj"}), swiglu));
  EXPECT_FALSE(check_lora(spec_of({"gate_proj"}), testing::tiny_vision_config(Family::kVit, 1)));
  EXPECT_FALSE(check_lora(spec_of({"fc1"}), tiny_config(1, Embeddings::kTied)));
}

TEST(FirstAdapter, FollowsTheRule) {
  const PhiloxKey key = {11, 12};
  const std::string stem = "base_model.model.model.layers.2.mlp.up_proj.";
  const Tensor a = first_adapter({stem + "lora_A.weight", Dtype::kF32, {3, 12}}, key);
  for (std::uint32_t i = 0; i < 36; ++i) {
    const auto words = numerics::philox4x32({i / 4, 0, 7 * 2 + 5, 0}, key);
    const double odd = 2.0 * static_cast<double>(words[i % 4] / 256) + 1 - 0x1p24;
    ASSERT_EQ(a.f32()[i], static_cast<float>(odd * 0x1p-24 * (1 / std::sqrt(12.0)))) << i;
  }
  const Tensor b = first_adapter({stem + "lora_B.weight", Dtype::kF32, {20, 3}}, key);
  EXPECT_TRUE(std::all_of(b.bytes().begin(), b.bytes().end(), [](auto byte) { return byte == 0; }));
}

TEST(FirstAdapter, OfTheHeadHasTheLastPlace) {
  const PhiloxKey key = {11, 12};
  const Tensor a =
      first_adapter({"base_model.model.lm_head.lora_A.weight", Dtype::kF32, {3, 12}}, key);
  for (std::uint32_t i = 0; i < 36; ++i) {
    const auto words = numerics::philox4x32({i / 4, 0, 0xffffffff, 0}, key);
    const double odd = 2.0 * static_cast<double>(words[i % 4] / 256) + 1 - 0x1p24;
    ASSERT_EQ(a.f32()[i], static_cast<float>(odd * 0x1p-24 * (1 / std::sqrt(12.0)))) << i;
  }
}

TEST(FirstAdapter, IsUniformWithinPeftsBound) {
  const std::string name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
  const Tensor a = first_adapter({name, Dtype::kF32, {64, 256}}, {1, 2});
  const double bound = 1 / std::sqrt(256.0);
  double sum = 0, squares = 0, most = 0;
  for (const float value : a.f32()) {
    sum += value;
    squares += static_cast<double>(value) * value;
    most = std::max(most, std::abs(static_cast<double>(value)));
  }
  const auto count = static_cast<double>(a.count());
  EXPECT_LT(most, bound);
  EXPECT_GT(most, 0.999 * bound);
  EXPECT_NEAR(sum / count, 0, 0.02 * bound);
  EXPECT_NEAR(squares / count, bound * bound / 3, 0.02 * bound * bound);
}

TEST(FirstAdapter, DiffersByKeyLayerAndModule) {
  const auto made = [](const char* module, PhiloxKey key) {
    const Tensor a =
        first_adapter({std::string("base_model.model.model.layers.") + module + ".lora_A.weight",
                       Dtype::kF32,
                       {2, 8}},
                      key);
    return std::vector<float>(a.f32().begin(), a.f32().end());
  };
  std::set<std::vector<float>> all = {
      made("0.self_attn.q_proj", {1, 2}), made("1.self_attn.q_proj", {1, 2}),
      made("0.self_attn.k_proj", {1, 2}), made("0.self_attn.q_proj", {2, 2}),
      made("0.self_attn.q_proj", {1, 3}), made("10.mlp.down_proj", {1, 2})};
  EXPECT_EQ(all.size(), 6U);
}

}  // namespace
}  // namespace aftune::model
