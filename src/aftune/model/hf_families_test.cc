// SPDX-License-Identifier: Apache-2.0
// config.json of the families beside the first: what hf_config_test.cc asks of Llama's.
#include <gtest/gtest.h>

#include <functional>

#include "aftune/model/llama_config.h"

namespace aftune::model {
namespace {

using codec::Json;

// As published with Llama-3.2-1B (but for its ids of tokens).
constexpr std::string_view kLlama32 = R"({
  "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
  "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02,
  "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": false,
  "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16,
  "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
  "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                   "original_max_position_embeddings": 8192, "rope_type": "llama3"},
  "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
  "transformers_version": "4.45.0.dev0", "use_cache": true, "vocab_size": 128256})";

// As published with Mistral-7B-v0.1.
constexpr std::string_view kMistral = R"({
  "architectures": ["MistralForCausalLM"], "bos_token_id": 1, "eos_token_id": 2,
  "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
  "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral",
  "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
  "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 4096,
  "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.34.0.dev0",
  "use_cache": true, "vocab_size": 32000})";

// As published with Qwen2.5-0.5B.
constexpr std::string_view kQwen25 = R"({
  "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
  "eos_token_id": 151643, "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02,
  "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 24,
  "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24,
  "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
  "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
  "transformers_version": "4.40.1", "use_cache": true, "use_mrope": false,
  "use_sliding_window": false, "vocab_size": 151936})";

// As published with Qwen3-0.6B.
constexpr std::string_view kQwen3 = R"({
  "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
  "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
  "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072,
  "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
  "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
  "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null,
  "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.51.0",
  "use_cache": true, "use_sliding_window": false, "vocab_size": 151936})";

Json family_json(std::string_view text) {
  auto json = codec::parse_json(text, {});
  EXPECT_TRUE(json);
  return *std::move(json);
}

LlamaConfig config_of(std::string_view text) {
  const auto got = parse_hf_config(family_json(text));
  EXPECT_TRUE(got) << got.error().what;
  return got ? *got : LlamaConfig{};
}

std::uint64_t parameter_count(const LlamaConfig& config) {
  std::uint64_t sum = 0;
  for (const TensorSpec& spec : parameter_specs(config)) sum += element_count(spec.shape).value();
  return sum;
}

TEST(HfFamilies, PublishedFilesGivePublishedParameterCounts) {
  EXPECT_EQ(parameter_count(config_of(kLlama32)), 1'235'814'400U);
  EXPECT_EQ(parameter_count(config_of(kMistral)), 7'241'732'096U);
  EXPECT_EQ(parameter_count(config_of(kQwen25)), 494'032'768U);
  EXPECT_EQ(parameter_count(config_of(kQwen3)), 596'049'920U);
}

TEST(HfFamilies, FamilyAndItsPartsFollowFromTheModelType) {
  EXPECT_EQ(config_of(kLlama32).family, Family::kLlama);
  EXPECT_EQ(config_of(kLlama32).rope_scaling, (RopeScaling{32, 1, 4, 8192}));
  EXPECT_EQ(config_of(kMistral).family, Family::kMistral);
  EXPECT_EQ(config_of(kMistral).sliding_window, 4096U);
  EXPECT_EQ(config_of(kMistral).longest_sequence(), 4096U);
  EXPECT_EQ(config_of(kMistral).head_dim, 128U);
  EXPECT_TRUE(config_of(kQwen25).has_projection_biases());
  EXPECT_EQ(config_of(kQwen25).longest_sequence(), 32768U);
  EXPECT_TRUE(config_of(kQwen3).has_head_norms());
  EXPECT_EQ(config_of(kQwen3).head_dim, 128U);
}

TEST(HfFamilies, EveryFileIsWrittenAsItReads) {
  for (const auto text : {kLlama32, kMistral, kQwen25, kQwen3}) {
    const LlamaConfig config = config_of(text);
    const auto again = parse_hf_config(family_json(codec::pretty_json(to_hf_config(config))));
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(*again, config);
  }
}

TEST(HfFamilies, ScalingIsReadInBothSpellings) {
  Json json = family_json(kLlama32);
  Json scaling = *json.find("rope_scaling");
  (*scaling.object())["rope_theta"] = 500000;
  json.object()->erase("rope_scaling");
  json.object()->erase("rope_theta");
  (*json.object())["rope_parameters"] = scaling;
  const auto got = parse_hf_config(json);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, config_of(kLlama32));

  (*json.object())["rope_scaling"] = *family_json(kLlama32).find("rope_scaling");
  EXPECT_TRUE(parse_hf_config(json));
  (*(*json.object())["rope_scaling"].object())["factor"] = 8;
  const auto contradiction = parse_hf_config(json);
  ASSERT_FALSE(contradiction);
  EXPECT_EQ(contradiction.error().what, "config.json: rope_scaling contradicts rope_parameters");
}

TEST(HfFamilies, AWindowOfNullIsNone) {
  Json json = family_json(kMistral);
  (*json.object())["sliding_window"] = Json();
  const auto got = parse_hf_config(json);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->sliding_window, 0U);
  EXPECT_EQ(got->longest_sequence(), 32768U);
}

struct FamilyLie {
  std::string_view file;
  std::string member;  // "-" in front: taken away
  Json value;
  std::string what;
};

Json scaling_with(const char* name, Json value) {
  Json scaling = *family_json(kLlama32).find("rope_scaling");
  (*scaling.object())[name] = std::move(value);
  return scaling;
}

TEST(HfFamilies, WhatChangesTheComputationIsRefusedWithItsValue) {
  const FamilyLie lies[] = {
      {kQwen25, "use_sliding_window", true, "use_sliding_window is true, supported is false"},
      {kQwen3, "attention_bias", true, "attention_bias is true, supported is false"},
      {kQwen3, "use_sliding_window", true, "use_sliding_window is true, supported is false"},
      {kQwen3, "hidden_act", "gelu", "hidden_act is \"gelu\", supported is \"silu\""},
      {kQwen25, "layer_types", Json::Array{"full_attention", "sliding_attention"},
       "layer_types has \"sliding_attention\", supported is \"full_attention\""},
      {kMistral, "mlp_bias", true, "mlp_bias is true, supported is false"},
      {kMistral, "layer_types", Json::Array{"full_attention"}, "unknown member layer_types"},
      {kQwen25, "attention_bias", true, "unknown member attention_bias, which is true"},
      {kMistral, "attention_dropout", 0.1, "attention_dropout is 0.1, supported is 0"},
      {kMistral, "model_type", "mixtral",
       "model_type is \"mixtral\", supported are \"llama\", \"mistral\", \"qwen2\", \"qwen3\""},
      {kQwen3, "architectures", Json::Array{"Qwen2ForCausalLM"},
       "architectures is [\"Qwen2ForCausalLM\"], supported with model_type \"qwen3\" is "
       "[\"Qwen3ForCausalLM\"]"},
      {kQwen25, "rope_scaling",
       Json::Object{{"factor", 4.0}, {"original_max_position_embeddings", 32768}, {"type", "yarn"}},
       "rope_scaling.type is \"yarn\", supported are \"default\" and \"llama3\""},
      {kLlama32, "rope_scaling", scaling_with("attention_factor", 2),
       "rope_scaling.attention_factor is 2, not supported with rope_type \"llama3\""},
      {kLlama32, "rope_scaling", scaling_with("rope_type", "default"),
       "rope_scaling.factor is 32.0, not supported with rope_type \"default\""},
  };
  for (const FamilyLie& lie : lies) {
    Json json = family_json(lie.file);
    (*json.object())[lie.member] = lie.value;
    const auto got = parse_hf_config(json);
    ASSERT_FALSE(got) << lie.what;
    EXPECT_EQ(got.error().code, Code::kUnsupported) << got.error().what;
    EXPECT_NE(got.error().what.find(lie.what), std::string::npos) << got.error().what;
  }
}

TEST(HfFamilies, WrongAndMissingValuesAreNamed) {
  const FamilyLie lies[] = {
      {kMistral, "sliding_window", 0, "sliding_window is 0, no integer from 1 to 2^32-1"},
      {kMistral, "sliding_window", 1 << 30, "sliding_window 1073741824 is outside 1 to 16777216"},
      {kMistral, "-sliding_window", {}, "sliding_window is missing"},
      {kMistral, "-num_key_value_heads", {}, "num_key_value_heads is missing"},
      {kQwen3, "-head_dim", {}, "head_dim is missing"},
      {kQwen3, "layer_types", 7, "layer_types is 7, no list"},
      {kLlama32, "rope_scaling", scaling_with("factor", 0.5),
       "rope_scaling factor 0.5 is outside 1 to 2^16"},
      {kLlama32, "rope_scaling", scaling_with("factor", "32"),
       "rope_scaling.factor is \"32\", no number"},
      {kLlama32, "rope_scaling", scaling_with("low_freq_factor", 4),
       "rope_scaling low_freq_factor 4, high_freq_factor 4: not 2^-16 <= low < high <= 2^16"},
      {kLlama32, "rope_scaling", scaling_with("low_freq_factor", 0), "low_freq_factor 0"},
      {kLlama32, "rope_scaling", scaling_with("original_max_position_embeddings", 0.5),
       "rope_scaling.original_max_position_embeddings is 0.5, no integer"},
      {kLlama32, "rope_scaling", scaling_with("rope_theta", 10000),
       "rope_scaling.rope_theta is 10000, contradicts rope_theta 500000"},
      {kLlama32, "rope_scaling", scaling_with("type", "default"), "rope_type and type differ"},
      {kLlama32, "rope_scaling", 8, "rope_scaling is 8, no object"},
  };
  for (const FamilyLie& lie : lies) {
    Json json = family_json(lie.file);
    if (lie.member.starts_with('-')) {
      json.object()->erase(lie.member.substr(1));
    } else {
      (*json.object())[lie.member] = lie.value;
    }
    const auto got = parse_hf_config(json);
    ASSERT_FALSE(got) << lie.what;
    EXPECT_EQ(got.error().code, Code::kInvalidInput) << got.error().what;
    EXPECT_NE(got.error().what.find(lie.what), std::string::npos) << got.error().what;
  }
}

Result<LlamaConfig> from_contract(const Json& json) {
  AFTUNE_TRY(auto reader, codec::JsonReader::open(json, "architecture"));
  return architecture_from_contract(reader);
}

TEST(HfFamilies, ContractGivesBackEveryArchitecture) {
  for (const auto text : {kLlama32, kMistral, kQwen25, kQwen3}) {
    const LlamaConfig config = config_of(text);
    const auto got = from_contract(family_json(codec::canonical_json(to_contract(config))));
    ASSERT_TRUE(got) << got.error().what;
    EXPECT_EQ(*got, config);
  }
}

TEST(HfFamilies, ContractsOfAPlainLlamaHaveNoNewMember) {
  LlamaConfig config = config_of(kLlama32);
  config.rope_scaling.reset();
  const Json json = to_contract(config);
  EXPECT_EQ(json.object()->size(), 12U);
  EXPECT_EQ(json.find("rope_scaling"), nullptr);
  EXPECT_EQ(json.find("sliding_window"), nullptr);
}

TEST(HfFamilies, ContractsAreReadStrictly) {
  const struct {
    std::string name;
    std::string_view file;
    std::function<void(Json::Object&)> tell;
    std::string what;
  } lies[] = {
      {"window in llama", kLlama32, [](auto& o) { o["sliding_window"] = 4; },
       "sliding_window 4 in family llama, only mistral has one"},
      {"window of zero", kMistral, [](auto& o) { o["sliding_window"] = 0; }, "sliding_window"},
      {"other scaling", kLlama32, [](auto& o) { (*o["rope_scaling"].object())["type"] = "yarn"; },
       "rope_scaling.type: \"yarn\", supported is \"llama3\""},
      {"scaling of null", kLlama32, [](auto& o) { o["rope_scaling"] = Json(); }, "rope_scaling"},
      {"member missing", kLlama32, [](auto& o) { o["rope_scaling"].object()->erase("factor"); },
       "rope_scaling.factor"},
      {"member unknown", kLlama32, [](auto& o) { (*o["rope_scaling"].object())["beta"] = 1; },
       "beta"},
      {"infinite factor", kLlama32,
       [](auto& o) { (*o["rope_scaling"].object())["factor"] = "0x1p1000"; }, "factor"},
  };
  for (const auto& lie : lies) {
    Json json = to_contract(config_of(lie.file));
    lie.tell(*json.object());
    const auto got = from_contract(json);
    ASSERT_FALSE(got) << lie.name;
    EXPECT_NE(got.error().what.find(lie.what), std::string::npos) << got.error().what;
  }
}

TEST(HfFamilies, ParametersAreThoseOfTheFamily) {
  const auto names_of = [](std::string_view text) {
    std::vector<std::string> out;
    for (const TensorSpec& spec : parameter_specs(config_of(text))) {
      if (spec.name.starts_with("model.layers.3.self_attn.")) out.push_back(spec.name.substr(25));
    }
    return out;
  };
  using Names = std::vector<std::string>;
  const Names plain = {"k_proj.weight", "o_proj.weight", "q_proj.weight", "v_proj.weight"};
  EXPECT_EQ(names_of(kLlama32), plain);
  EXPECT_EQ(names_of(kMistral), plain);
  EXPECT_EQ(names_of(kQwen25),
            (Names{"k_proj.bias", "k_proj.weight", "o_proj.weight", "q_proj.bias", "q_proj.weight",
                   "v_proj.bias", "v_proj.weight"}));
  EXPECT_EQ(names_of(kQwen3), (Names{"k_norm.weight", "k_proj.weight", "o_proj.weight",
                                     "q_norm.weight", "q_proj.weight", "v_proj.weight"}));
}

TEST(InvFreq, HasTheBitsOfTransformersForLlama31) {
  // From transformers 5.23.0 with torch 2.15.0: kept, blended and slowed frequencies.
  LlamaConfig config = config_of(kLlama32);
  config.head_dim = 128;
  config.rope_scaling->factor = 8;
  const Tensor table = make_inv_freq(config);
  const std::pair<std::size_t, float> expected[] = {
      {0, 0x1.000000p+0F},   {1, 0x1.a11582p-1F},   {8, 0x1.8d2760p-3F},   {16, 0x1.341190p-5F},
      {28, 0x1.a4ee40p-9F},  {29, 0x1.1bfa0cp-9F},  {30, 0x1.67a23ap-10F}, {32, 0x1.132ba4p-11F},
      {34, 0x1.765ba4p-13F}, {35, 0x1.90d10cp-14F}, {36, 0x1.46831ap-14F}, {48, 0x1.be2188p-18F},
      {63, 0x1.4985fep-22F}};
  for (const auto& [i, value] : expected) EXPECT_EQ(table.f32()[i], value) << i;
}

}  // namespace
}  // namespace aftune::model
