// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/adapter_folder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "aftune/model/new_model.h"
#include "aftune/model/temp_folder_testing.h"
#include "aftune/model/tiny_llama_testing.h"

namespace aftune::model {
namespace {

using testing::Embeddings;
using testing::TempFolder;
using testing::tiny_config;

const LlamaConfig& config() {
  static const LlamaConfig made = tiny_config(2, Embeddings::kUntied);
  return made;
}

LoraSpec spec() { return {4, 8, 0.05, false, {"q_proj", "v_proj"}, {"lm_head", "norm"}}; }

TensorMap tensors_of(const LoraSpec& lora) {
  std::mt19937 random(5);
  TensorMap out;
  for (const TensorSpec& tensor : trained_specs(config(), lora)) {
    Tensor made = Tensor::zeros(tensor.shape);
    for (float& value : made.f32()) value = testing::uniform(random);
    out.emplace(tensor.name, std::move(made));
  }
  return out;
}

void put(const Path& path, std::string_view text) { ASSERT_TRUE(write_file(path, as_bytes(text))); }

/// As PEFT 0.21 writes it, but for `change`.
std::string peft_config(const std::string& from = "", const std::string& to = "") {
  std::string text = R"({
  "alora_invocation_tokens": null,
  "alpha_pattern": {},
  "arrow_config": null,
  "auto_mapping": null,
  "base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M",
  "bias": "none",
  "corda_config": null,
  "ensure_weight_tying": false,
  "eva_config": null,
  "exclude_modules": null,
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "layer_replication": null,
  "layers_pattern": null,
  "layers_to_transform": null,
  "loftq_config": {},
  "lora_alpha": 8,
  "lora_bias": false,
  "lora_dropout": 0.05,
  "megatron_config": null,
  "megatron_core": "megatron.core",
  "modules_to_save": ["lm_head", "model.norm"],
  "peft_type": "LORA",
  "peft_version": "0.21.2",
  "qalora_group_size": 16,
  "r": 4,
  "rank_pattern": {},
  "revision": null,
  "target_modules": ["v_proj", "q_proj"],
  "target_parameters": null,
  "task_type": "CAUSAL_LM",
  "trainable_token_indices": null,
  "use_dora": false,
  "use_qalora": false,
  "use_rslora": false
})";
  if (!from.empty()) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  }
  return text;
}

/// A folder with that text and these tensors.
struct Folder {
  Folder(const std::string& text, const TensorMap& tensors) {
    put(temp.path() / kAdapterConfig, text);
    EXPECT_TRUE(write_safetensors(temp.path() / kAdapterWeights, named_tensors(tensors)));
  }
  TempFolder temp;

  [[nodiscard]] Result<AdapterFolder> open() const {
    return open_adapter_folder(temp.path(), config());
  }
};

TEST(AdapterFolder, ReadsBackWhatItWrites) {
  LoraSpec rslora = spec();
  rslora.rslora = true;
  rslora.alpha = 2.5;
  rslora.modules_to_save.clear();
  for (const LoraSpec& lora : {spec(), rslora}) {
    const TempFolder temp;
    const TensorMap tensors = tensors_of(lora);
    ASSERT_TRUE(write_adapter_folder(temp.path() / "out", lora, config(), tensors));
    const auto back = open_adapter_folder(temp.path() / "out", config());
    ASSERT_TRUE(back) << back.error().what;
    EXPECT_EQ(back->lora, lora);
    EXPECT_EQ(testing::first_difference(back->tensors, tensors), "");
    EXPECT_FALSE(write_adapter_folder(temp.path() / "out", lora, config(), tensors)) << "not empty";
  }
}

TEST(AdapterFolder, ConfigurationHasOneText) {
  EXPECT_EQ(adapter_config(spec(), config()), R"({
  "base_model_name_or_path": null,
  "bias": "none",
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "layers_pattern": null,
  "layers_to_transform": null,
  "lora_alpha": 8,
  "lora_dropout": 0.05,
  "modules_to_save": ["lm_head", "model.norm"],
  "peft_type": "LORA",
  "r": 4,
  "revision": null,
  "target_modules": ["q_proj", "v_proj"],
  "task_type": "CAUSAL_LM",
  "use_dora": false,
  "use_rslora": false
}
)");
}

TEST(AdapterFolder, ReadsWhatPeftWrites) {
  const Folder folder(peft_config(), tensors_of(spec()));
  const auto adapter = folder.open();
  ASSERT_TRUE(adapter) << adapter.error().what;
  EXPECT_EQ(adapter->lora, spec());
}

TEST(AdapterFolder, WhatWouldChangeTheComputationIsRefusedByName) {
  const std::vector<std::array<const char*, 3>> table = {
      {"\"use_dora\": false", "\"use_dora\": true", "use_dora is true"},
      {"\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 2}", "rank_pattern"},
      {"\"layers_to_transform\": null", "\"layers_to_transform\": [0]", "layers_to_transform"},
      {"\"bias\": \"none\"", "\"bias\": \"all\"", "bias is not \"none\""},
      {"\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\"", "init_lora_weights"},
      {"\"peft_type\": \"LORA\"", "\"peft_type\": \"LOHA\"", "peft_type"},
      {"\"revision\": null", "\"new_trick\": 1", "new_trick is 1"},
      {"\"target_modules\": [\"v_proj\", \"q_proj\"]", "\"target_modules\": \".*_proj\"",
       "target_modules"},
      {"\"v_proj\", \"q_proj\"", "\"embed_tokens\"", "target_modules"},
      {"\"v_proj\", \"q_proj\"", "1", "target_modules holds no name"},
      {"\"r\": 4", "\"r\": 4.5", "r is no rank"},
      {"\"r\": 4", "\"r\": \"4\"", "r is missing or no number"},
      {"\"lora_alpha\": 8", "\"lora_alpha\": null", "lora_alpha"},
      {"\"lora_dropout\": 0.05", "\"lora_dropout\": 1.0", "dropout 1"},
      {"\"use_rslora\": false", "\"use_rslora\": 1", "use_rslora"},
      {"\"r\": 4", "\"r\": 5", "lora_A.weight is F32"},
      {"\"lm_head\", ", "", "unexpected tensor base_model.model.lm_head.weight"},
      {"\"v_proj\", \"q_proj\"", "\"v_proj\", \"q_proj\", \"k_proj\"",
       "k_proj.lora_A.weight is missing"},
  };
  const TensorMap tensors = tensors_of(spec());
  for (const auto& [from, to, names] : table) {
    const Folder folder(peft_config(from, to), tensors);
    const auto adapter = folder.open();
    ASSERT_FALSE(adapter) << to;
    EXPECT_NE(adapter.error().what.find(names), std::string::npos) << adapter.error().what;
  }
  EXPECT_FALSE(Folder("[]", tensors).open());
  EXPECT_FALSE(Folder("{}", tensors).open());
}

TEST(AdapterFolder, CopiesOfTheBaseBesideAnAdaptedHeadAreRefusedWithAWayOut) {
  const LoraSpec lora = {4, 8, 0.05, false, {"lm_head", "q_proj"}, {}};
  std::string text = peft_config("\"v_proj\", \"q_proj\"", "\"lm_head\", \"q_proj\"");
  const std::string saved = "[\"lm_head\", \"model.norm\"]";
  text.replace(text.find(saved), saved.size(), "null");
  const auto adapter = Folder(text, tensors_of(lora)).open();
  ASSERT_TRUE(adapter) << adapter.error().what;
  EXPECT_EQ(adapter->lora, lora);
  for (const char* name : {"base_model.model.lm_head.base_layer.weight",
                           "base_model.model.model.embed_tokens.weight"}) {
    TensorMap more = tensors_of(lora);
    more.emplace(name, Tensor::zeros({19, 12}));
    const auto refused = Folder(text, more).open();
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find(name), std::string::npos) << refused.error().what;
    EXPECT_NE(refused.error().what.find("save_embedding_layers=False"), std::string::npos);
  }
}

TEST(AdapterFolder, NonFiniteAndMissingFilesAreRefused) {
  TensorMap tensors = tensors_of(spec());
  tensors.begin()->second.f32()[1] = HUGE_VALF;
  const auto infinite = Folder(peft_config(), tensors).open();
  ASSERT_FALSE(infinite);
  EXPECT_NE(infinite.error().what.find("element 1 is inf"), std::string::npos);
  const Folder folder(peft_config(), tensors_of(spec()));
  for (const char* name : {kAdapterWeights, kAdapterConfig}) {
    std::filesystem::remove(folder.temp.path() / name);
    const auto opened = folder.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::kNotFound) << name;
  }
}

TEST(Merge, AddsTheScaledProductInDoublePrecision) {
  const LoraSpec lora = spec();
  const TensorMap base = testing::random_parameters(config(), 1);
  TensorMap merged = testing::clone(base);
  const AdapterFolder adapter{lora, tensors_of(lora)};
  merge_into(merged, adapter);
  for (const auto& [name, tensor] : merged) {
    const Tensor& before = base.find(name)->second;
    const auto saved = adapter.tensors.find(std::string(kPeftPrefix) + name);
    const auto a = adapter.tensors.find(lora_a_name(name));
    if (a == adapter.tensors.end()) {
      const Tensor& expected = saved == adapter.tensors.end() ? before : saved->second;
      EXPECT_TRUE(testing::same_bits(tensor, expected)) << name;
      continue;
    }
    const Tensor& b = adapter.tensors.find(lora_b_name(name))->second;
    const std::size_t width = before.shape()[1];
    for (std::size_t i = 0; i < before.count(); ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < 4; ++j) {
        sum += static_cast<double>(b.data()[i / width * 4 + j]) *
               static_cast<double>(a->second.data()[j * width + i % width]);
      }
      ASSERT_EQ(tensor.data()[i],
                static_cast<float>(static_cast<double>(before.data()[i]) + 2.0 * sum))
          << name << " " << i;
    }
  }
}

}  // namespace
}  // namespace aftune::model
