// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "aftune/model/llama_config.h"

namespace aftune::model {
namespace {

using codec::Json;

LlamaConfig small() {
  return {.vocab_size = 64,
          .hidden_size = 32,
          .intermediate_size = 48,
          .layer_count = 2,
          .head_count = 4,
          .kv_head_count = 2,
          .head_dim = 8,
          .max_positions = 2048,
          .rms_norm_eps = 1e-5F,
          .rope_theta = 100000,
          .tied_embeddings = false};
}

Json parsed(std::string_view text) {
  auto json = codec::parse_json(text, {});
  EXPECT_TRUE(json);
  return *std::move(json);
}

// As transformers 5.23.0 writes it.
constexpr std::string_view kNewFile = R"({
  "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2,
  "head_dim": 8, "hidden_act": "silu", "hidden_size": 32, "initializer_range": 0.02,
  "intermediate_size": 48, "max_position_embeddings": 2048, "mlp_bias": false,
  "model_type": "llama", "num_attention_heads": 4, "num_hidden_layers": 2,
  "num_key_value_heads": 2, "pad_token_id": null, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
  "rope_parameters": {"rope_theta": 100000, "rope_type": "default"},
  "tie_word_embeddings": false, "transformers_version": "5.23.0", "use_cache": true,
  "vocab_size": 64})";

TEST(HfConfig, FilesOfNewTransformersAreRead) {
  const auto got = parse_hf_config(parsed(kNewFile));
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, small());
}

TEST(HfConfig, FilesOfOldTransformersAreRead) {
  const auto got = parse_hf_config(parsed(R"({
    "_name_or_path": "x", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu",
    "hidden_size": 32, "intermediate_size": 48, "max_position_embeddings": 2048,
    "model_type": "llama", "num_attention_heads": 4, "num_hidden_layers": 2,
    "rms_norm_eps": 1e-5, "rope_interleaved": false, "rope_scaling": null,
    "is_llama_config": true, "torch_dtype": "bfloat16", "transformers.js_config": {"a": 1},
    "tie_word_embeddings": true, "vocab_size": 64})"));
  ASSERT_TRUE(got) << got.error().what;
  LlamaConfig expected = small();
  expected.kv_head_count = 4;
  expected.rope_theta = 10000;
  expected.tied_embeddings = true;
  EXPECT_EQ(*got, expected);
}

TEST(HfConfig, WrittenFileReadsBackEqual) {
  for (const double theta : {10000.0, 100000.0, 500000.0, 12345.678, 0x1p60}) {
    for (const float eps : {1e-5F, 1e-6F, 0.1F, 0x1p-126F, 1.0F, 3.3333333e-6F}) {
      for (const bool tied : {false, true}) {
        LlamaConfig config = small();
        config.rope_theta = theta;
        config.rms_norm_eps = eps;
        config.tied_embeddings = tied;
        const auto got = parse_hf_config(parsed(codec::pretty_json(to_hf_config(config))));
        ASSERT_TRUE(got) << got.error().what;
        EXPECT_EQ(*got, config);
      }
    }
  }
}

TEST(HfConfig, WritesDecimalsAsPeopleDo) {
  const std::string text = codec::pretty_json(to_hf_config(small()));
  EXPECT_NE(text.find("\"rms_norm_eps\": 1e-05"), std::string::npos) << text;
  EXPECT_NE(text.find("\"rope_theta\": 100000"), std::string::npos) << text;
}

TEST(HfConfig, EpsilonIsTheFp32OfTheDecimal) {
  Json json = parsed(kNewFile);
  (*json.object())["rms_norm_eps"] = 1e-6;
  EXPECT_EQ(parse_hf_config(json)->rms_norm_eps, 1e-6F);
  (*json.object())["rms_norm_eps"] = 1;
  EXPECT_EQ(parse_hf_config(json)->rms_norm_eps, 1.0F);
}

struct ConfigLie {
  std::string member;
  Json value;
};

void expect_refused(const ConfigLie& lie, Code code) {
  Json json = parsed(kNewFile);
  (*json.object())[lie.member] = lie.value;
  const auto got = parse_hf_config(json);
  ASSERT_FALSE(got) << lie.member;
  EXPECT_EQ(got.error().code, code) << got.error().what;
  EXPECT_NE(got.error().what.find(lie.member), std::string::npos) << got.error().what;
}

TEST(HfConfig, WhatThisBuildCannotComputeIsRefusedByName) {
  const ConfigLie lies[] = {
      {"hidden_act", "gelu"},
      {"attention_bias", true},
      {"mlp_bias", true},
      {"attention_dropout", 0.1},
      {"pretraining_tp", 2},
      {"rope_interleaved", true},
      {"rope_scaling", Json::Object{{"type", "linear"}, {"factor", 2}}},
      {"sliding_window", 4096},
      {"model_type", "gpt2"},
      {"model_type", 7},
      {"is_encoder_decoder", true},
      {"architectures", Json::Array{"MistralForCausalLM"}},
      {"architectures", "LlamaForCausalLM"},
      {"quantization_config", Json::Object{}},
      {"partial_rotary_factor", 0.5},
      {"logit_scale", 2},
      {"Hidden_act", "silu"},
      {"rope_parameters", Json::Object{{"rope_theta", 10000}, {"rope_type", "yarn"}}},
      {"rope_parameters", Json::Object{{"rope_theta", 10000}, {"partial_rotary_factor", 0.5}}},
      {"rope_parameters", Json::Object{{"rope_theta", 10000}, {"factor", 8}}},
  };
  for (const ConfigLie& lie : lies) expect_refused(lie, Code::kUnsupported);
}

TEST(HfConfig, ValuesOfTheWrongKindAreRefusedByName) {
  const ConfigLie lies[] = {
      {"vocab_size", 0},
      {"vocab_size", "64"},
      {"hidden_size", 32.5},
      {"num_hidden_layers", -1},
      {"num_hidden_layers", std::int64_t{1} << 32},
      {"num_attention_heads", Json()},
      {"rms_norm_eps", "1e-5"},
      {"rms_norm_eps", 0},
      {"rope_theta", "10000"},
      {"rope_theta", 0},
      {"rope_parameters", 1},
      {"rope_parameters", Json::Object{{"rope_theta", "1"}}},
      {"tie_word_embeddings", 1},
      {"head_dim", 7},
  };
  for (const ConfigLie& lie : lies) expect_refused(lie, Code::kInvalidInput);
}

TEST(HfConfig, BothSpellingsOfTheBaseMustAgree) {
  Json json = parsed(kNewFile);
  (*json.object())["rope_theta"] = 100000.0;
  EXPECT_TRUE(parse_hf_config(json));
  (*json.object())["rope_theta"] = 10000.0;
  const auto got = parse_hf_config(json);
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().what.find("contradicts"), std::string::npos);
}

TEST(HfConfig, MissingMembersAreNamed) {
  for (const char* name :
       {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "max_position_embeddings", "rms_norm_eps", "model_type"}) {
    Json json = parsed(kNewFile);
    json.object()->erase(name);
    const auto got = parse_hf_config(json);
    ASSERT_FALSE(got) << name;
    EXPECT_EQ(got.error().code, Code::kInvalidInput);
    EXPECT_NE(got.error().what.find(name), std::string::npos) << got.error().what;
  }
  EXPECT_FALSE(parse_hf_config(parsed("[1]")));
}

TEST(HfConfig, WidthOfHeadsMustDivideWhereItIsNotGiven) {
  Json json = parsed(kNewFile);
  json.object()->erase("head_dim");
  EXPECT_EQ(parse_hf_config(json)->head_dim, 8U);
  (*json.object())["hidden_size"] = 34;
  const auto got = parse_hf_config(json);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().what,
            "config.json: hidden_size 34 is no multiple of num_attention_heads 4");
}

}  // namespace
}  // namespace aftune::model
