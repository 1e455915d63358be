// SPDX-License-Identifier: Apache-2.0
// config.json, contract and folder of image classifiers.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "aftune/model/import.h"
#include "aftune/model/model_folder.h"
#include "aftune/model/resample_positions.h"
#include "aftune/model/temp_folder_testing.h"
#include "aftune/model/tiny_vision_testing.h"
#include "aftune/model/vision_names.h"

namespace aftune::model {
namespace {

using codec::Json;
using testing::TempFolder;

// As published with vit-large-patch16-224, but for the names of its 1000 classes.
constexpr std::string_view kVitLarge = R"({
  "architectures": ["ViTForImageClassification"], "attention_probs_dropout_prob": 0.0,
  "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "hidden_size": 1024, "image_size": 224,
  "initializer_range": 0.02, "intermediate_size": 4096, "layer_norm_eps": 1e-12,
  "model_type": "vit", "num_attention_heads": 16, "num_channels": 3, "num_hidden_layers": 24,
  "patch_size": 16, "qkv_bias": true, "transformers_version": "4.6.0.dev0"})";

// As published with dinov2-giant-imagenet1k-1-layer, but for the names of its 1000 classes.
constexpr std::string_view kDinov2Giant = R"({
  "apply_layernorm": true, "architectures": ["Dinov2ForImageClassification"],
  "attention_probs_dropout_prob": 0.0, "drop_path_rate": 0.0, "hidden_act": "gelu",
  "hidden_dropout_prob": 0.0, "hidden_size": 1536, "image_size": 518, "initializer_range": 0.02,
  "layer_norm_eps": 1e-06, "layerscale_value": 1.0, "mlp_ratio": 4, "model_type": "dinov2",
  "num_attention_heads": 24, "num_channels": 3, "num_hidden_layers": 40, "out_features": ["stage40"],
  "out_indices": [40], "patch_size": 14, "qkv_bias": true, "reshape_hidden_states": true,
  "stage_names": ["stem"], "torch_dtype": "float32", "transformers_version": "4.36.0.dev0",
  "use_swiglu_ffn": true})";

Json config_of(std::string_view text, std::size_t classes) {
  Json::Object out = *codec::parse_json(text, {})->object();
  Json::Object names;
  for (std::size_t i = 0; i < classes; ++i) names[std::to_string(i)] = "name " + std::to_string(i);
  out["id2label"] = std::move(names);
  return out;
}

std::uint64_t count_of(const LlamaConfig& config, const std::string& without = "") {
  std::uint64_t count = 0;
  for (const TensorSpec& spec : parameter_specs(config)) {
    if (!without.empty() && spec.name.starts_with(without)) continue;
    count += *element_count(spec.shape);
  }
  return count;
}

TEST(VisionConfig, ThePublishedModelsHaveTheirParameters) {
  const auto vit = parse_hf_config(config_of(kVitLarge, 1000));
  ASSERT_TRUE(vit) << vit.error().what;
  EXPECT_EQ(count_of(*vit), 304'326'632U);  // as torchvision's ViT-L/16 has it, too
  EXPECT_EQ(vit->max_positions, 197U);
  const auto giant = parse_hf_config(config_of(kDinov2Giant, 1000));
  ASSERT_TRUE(giant) << giant.error().what;
  EXPECT_EQ(giant->intermediate_size, 4096U);
  EXPECT_EQ(giant->max_positions, 37 * 37 + 1U);
  // The published backbone's 1,136,480,768 parameters have the mask token among them.
  EXPECT_EQ(count_of(*giant, "classifier") + 1536, 1'136'480'768U);
  EXPECT_EQ(count_of(*giant) - count_of(*giant, "classifier"), 1000U * 3072 + 1000);
}

TEST(VisionConfig, ExportAndContractGiveItBack) {
  for (const auto& [name, config] : testing::tiny_visions(3)) {
    const auto again = parse_hf_config(to_hf_config(config));
    ASSERT_TRUE(again) << name << ": " << again.error().what;
    EXPECT_EQ(*again, config) << name;
    const Json stated = to_contract(config);
    auto reader = codec::JsonReader::open(stated, "architecture");
    ASSERT_TRUE(reader);
    const auto agreed = architecture_from_contract(*reader);
    ASSERT_TRUE(agreed) << name << ": " << agreed.error().what;
    EXPECT_EQ(*agreed, config) << name;
  }
}

TEST(VisionConfig, WhatIsNotComputedIsRefusedByNameAndValue) {
  const std::tuple<const char*, Json, const char*> lies[] = {
      {"hidden_act", "gelu_new", "hidden_act is \"gelu_new\", supported is \"gelu\""},
      {"hidden_dropout_prob", 0.1, "hidden_dropout_prob is 0.1, supported is 0"},
      {"attention_probs_dropout_prob", 0.5, "attention_probs_dropout_prob is 0.5, supported is 0"},
      {"image_size", Json::Array{224, 112}, "image_size is [224, 112], supported are squares"},
      {"image_size", 225, "image_size 225 is no multiple of patch_size 16"},
      {"qkv_bias", 1, "qkv_bias is 1, neither true nor false"},
      {"mlp_ratio", 4, "unknown member mlp_ratio, which is 4"},
      {"vocab_size", 10, "unknown member vocab_size, which is 10"},
      {"num_attention_heads", 15, "hidden_size 1024 is no multiple of head_count 15"},
      {"layer_norm_eps", 0, "layer_norm_eps 0 is outside 2^-126 to 1"},
      {"id2label", Json::Object{{"1", "a"}}, "id2label has 1 members and no name for class 0"},
      {"id2label", Json::Object{}, "id2label is no object of names"},
      {"architectures", Json::Array{"ViTModel"}, "architectures is [\"ViTModel\"]"},
  };
  for (const auto& [name, value, what] : lies) {
    Json::Object config = *config_of(kVitLarge, 10).object();
    config[name] = value;
    const auto got = parse_hf_config(config);
    ASSERT_FALSE(got) << name;
    EXPECT_NE(got.error().what.find(what), std::string::npos) << got.error().what;
  }
  Json::Object paths = *config_of(kDinov2Giant, 10).object();
  paths["drop_path_rate"] = 0.1;
  EXPECT_EQ(parse_hf_config(paths).error().what,
            "config.json: drop_path_rate is 0.1, supported is 0");
}

TEST(VisionConfig, AbsentMembersMeanWhatTheyMeanToTransformers) {
  Json::Object config = *config_of(kVitLarge, 10).object();
  config.erase("qkv_bias");
  config.erase("id2label");
  config["image_size"] = Json::Array{224, 224};
  const auto got = parse_hf_config(config);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_TRUE(got->vision->qkv_bias);
  EXPECT_EQ(got->vocab_size, 2U);
  EXPECT_EQ(got->vision->image_size, 224U);
  for (const char* needed : {"hidden_size", "intermediate_size", "image_size", "layer_norm_eps"}) {
    Json::Object less = config;
    less.erase(needed);
    const auto refused = parse_hf_config(less);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().what, std::string("config.json: ") + needed + " is missing");
  }
}

TEST(VisionConfig, AContractOfAnotherShapeIsRefused) {
  const LlamaConfig vit = testing::tiny_vision_config(Family::kVit, 2);
  const std::tuple<const char*, Json, const char*> lies[] = {
      {"patch_size", 4, "image_size 6 is no multiple of patch_size 4"},
      {"head_count", 5, "hidden_size 12 is no multiple of head_count 5"},
      {"mlp_ratio", 4, "mlp_ratio"},
      {"channels", 17, "channels 17 is outside 1 to 16"},
      {"family", "llama", "missing"},
      {"layer_norm_eps", "0x1.0000000000001p-3", "is no fp32 value"}};
  for (const auto& [name, value, what] : lies) {
    Json::Object stated = *to_contract(vit).object();
    stated[name] = value;
    const Json json = stated;
    auto reader = codec::JsonReader::open(json, "architecture");
    ASSERT_TRUE(reader);
    const auto got = architecture_from_contract(*reader);
    ASSERT_FALSE(got) << name;
    EXPECT_NE(got.error().what.find(what), std::string::npos) << got.error().what;
  }
}

TEST(VisionConfig, AFamilyAndItsPartsBelongTogether) {
  const std::function<void(LlamaConfig&)> lies[] = {
      [](LlamaConfig& c) { c.vision.reset(); },
      [](LlamaConfig& c) { c.family = Family::kLlama; },
      [](LlamaConfig& c) { c.family = Family::kDinov2; },
      [](LlamaConfig& c) { c.vision->swiglu = true; },
      [](LlamaConfig& c) { c.tied_embeddings = true; },
      [](LlamaConfig& c) { c.rope_theta = 10000; },
      [](LlamaConfig& c) { c.max_positions += 1; },
      [](LlamaConfig& c) { c.kv_head_count = 1; },
      [](LlamaConfig& c) { c.vision->image_size = 1200; }};
  for (const auto& lie : lies) {
    LlamaConfig config = testing::tiny_vision_config(Family::kVit, 2);
    ASSERT_TRUE(check_config(config));
    lie(config);
    EXPECT_FALSE(check_config(config));
  }
}

constexpr std::string_view kPreprocessor =
    R"({"do_resize": true, "image_mean": [0.25, 0.5], "image_std": [0.5, 2], "size": {"height": 6}})";

TEST(VisionFolder, ARandomModelIsImportedAsItIs) {
  const TempFolder root;
  testing::put(root / "pre", kPreprocessor);
  const LlamaConfig config = testing::tiny_vision_config(Family::kDinov2, 2, true);
  ASSERT_TRUE(make_random_model(config, 3, root / "pre", root / "made"));
  const Status imported = import_hf(root / "made", root / "imported");
  ASSERT_TRUE(imported) << imported.error().what;
  for (const char* name :
       {"model.safetensors", "aftune.safetensors", "config.json", "preprocessor_config.json"}) {
    EXPECT_EQ(testing::get(root / "made" / name), testing::get(root / "imported" / name)) << name;
  }
  const auto folder = open_model_folder(root / "imported");
  ASSERT_TRUE(folder) << folder.error().what;
  EXPECT_EQ(folder->config, config);
  const auto table = folder->tables.find(kNormalizationName)->f32();
  EXPECT_EQ(std::vector<float>(table.begin(), table.end()),
            (std::vector<float>{0.25F, 0.5F, 0.5F, 2}));
  for (const float value :
       folder->parameters.find("dinov2.encoder.layer.1.layer_scale2.lambda1")->f32()) {
    EXPECT_EQ(value, 1.0F);
  }
  EXPECT_FALSE(check_generates(*folder));
}

TEST(VisionFolder, TheMaskTokenStaysBehindAndNamesOfClassesStay) {
  const TempFolder root;
  testing::put(root / "pre", kPreprocessor);
  const LlamaConfig config = testing::tiny_vision_config(Family::kDinov2, 1);
  ASSERT_TRUE(make_random_model(config, 3, root / "pre", root / "made"));
  const auto made = open_model_folder(root / "made");
  ASSERT_TRUE(made);
  const Tensor mask = Tensor::zeros({1, 12});
  std::vector<NamedTensor> tensors{{"dinov2.embeddings.mask_token", mask.view()}};
  for (const auto& [name, view] : made->parameters.tensors()) tensors.push_back({name, view});
  ASSERT_TRUE(make_folders(root / "hf"));
  ASSERT_TRUE(write_safetensors(root / "hf" / "model.safetensors", tensors));
  testing::put(root / "hf" / "preprocessor_config.json", kPreprocessor);
  Json::Object page = *to_hf_config(config).object();
  page["use_mask_token"] = true;
  Json::Object names;
  for (int i = 0; i < 7; ++i) names[std::to_string(i)] = "class " + std::to_string(i);
  page["id2label"] = names;
  testing::put(root / "hf" / "config.json", codec::pretty_json(page));
  const Status imported = import_hf(root / "hf", root / "imported");
  ASSERT_TRUE(imported) << imported.error().what;
  EXPECT_EQ(testing::get(root / "made" / "model.safetensors"),
            testing::get(root / "imported" / "model.safetensors"));
  const auto again = codec::parse_json(testing::get(root / "imported" / "config.json"), {});
  ASSERT_TRUE(again);
  EXPECT_EQ(*again->find("use_mask_token"), Json(false));
  EXPECT_EQ(*again->find("id2label"), Json(names));
}

TEST(VisionFolder, IsImportedForImagesOfAnotherSize) {
  for (const Family family : {Family::kVit, Family::kDinov2}) {
    const TempFolder root;
    testing::put(root / "pre", kPreprocessor);
    const LlamaConfig config = testing::tiny_vision_config(family, 1);  // 2 x 2 patches of 3
    ASSERT_TRUE(make_random_model(config, 3, root / "pre", root / "made"));
    const auto import = [&](const char* out, std::uint32_t size) {
      return import_hf(root / "made", root / out, Elements::kWidened, size);
    };
    ASSERT_TRUE(import("same", 6));
    EXPECT_EQ(testing::get(root / "made" / "model.safetensors"),
              testing::get(root / "same" / "model.safetensors"));
    const Status larger = import("larger", 12);
    ASSERT_TRUE(larger) << larger.error().what;
    const auto made = open_model_folder(root / "made");
    const auto got = open_model_folder(root / "larger");
    ASSERT_TRUE(made && got) << got.error().what;
    EXPECT_EQ(got->config.vision->image_size, 12U);
    const std::string name = VisionNames(config).positions();
    const Tensor expected = resample_positions(Tensor::copy_of(*made->parameters.find(name)), 2, 4);
    for (const auto& [other, view] : made->parameters.tensors()) {
      const Bytes wanted = other == name ? expected.bytes() : view.bytes;
      EXPECT_TRUE(std::ranges::equal(got->parameters.find(other)->bytes, wanted)) << other;
    }
    const Status odd = import("odd", 7);
    ASSERT_FALSE(odd);
    EXPECT_NE(odd.error().what.find("image_size 7 is no multiple of patch_size 3"),
              std::string::npos)
        << odd.error().what;
    EXPECT_FALSE(std::filesystem::exists(root / "odd"));
  }
}

TEST(VisionFolder, ANormalizationThatIsNotComputedIsRefused) {
  const LlamaConfig config = testing::tiny_vision_config(Family::kVit, 1);
  const std::tuple<const char*, Json, const char*> lies[] = {
      {"do_normalize", false, "do_normalize is false, supported is true"},
      {"do_rescale", false, "do_rescale is false, supported is true"},
      {"rescale_factor", 0.5, "rescale_factor is 0.5, supported is 1/255"},
      {"image_mean", Json::Array{0.5}, "image_mean is [0.5], not a list of 2 numbers"},
      {"image_mean", Json(), "image_mean is null, not a list of 2 numbers"},
      {"image_mean", Json::Array{"x", 1}, "image_mean: \"x\" is no number"},
      {"image_std", Json::Array{1, 0}, "image_std: 0 is no number above 0"},
      {"image_std", Json::Array{-1, 1}, "image_std: -1 is no number above 0"}};
  for (const auto& [name, value, what] : lies) {
    Json::Object page = *codec::parse_json(kPreprocessor, {})->object();
    page[name] = value;
    const auto got = normalization_of(page, config);
    ASSERT_FALSE(got) << name;
    EXPECT_EQ(got.error().what, what);
  }
  Json::Object exact = *codec::parse_json(kPreprocessor, {})->object();
  exact["rescale_factor"] = 0.00392156862745098;
  EXPECT_TRUE(normalization_of(exact, config));
}

}  // namespace
}  // namespace aftune::model
