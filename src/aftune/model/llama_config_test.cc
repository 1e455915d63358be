// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/llama_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace aftune::model {
namespace {

LlamaConfig small_llama() {
  return {.vocab_size = 19,
          .hidden_size = 12,
          .intermediate_size = 20,
          .layer_count = 11,
          .head_count = 4,
          .kv_head_count = 2,
          .head_dim = 6,
          .max_positions = 128,
          .rms_norm_eps = 1e-5F,
          .rope_theta = 10000,
          .tied_embeddings = true};
}

const TensorSpec* find(const std::vector<TensorSpec>& specs, std::string_view name) {
  for (const TensorSpec& spec : specs) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

TEST(LlamaConfig, ParametersHaveTheShapesOfTheArchitecture) {
  const auto specs = parameter_specs(small_llama());
  ASSERT_EQ(specs.size(), 2U + 11 * 9);
  EXPECT_EQ(find(specs, "model.embed_tokens.weight")->shape, (Shape{19, 12}));
  EXPECT_EQ(find(specs, "model.norm.weight")->shape, (Shape{12}));
  EXPECT_EQ(find(specs, "model.layers.3.self_attn.q_proj.weight")->shape, (Shape{24, 12}));
  EXPECT_EQ(find(specs, "model.layers.3.self_attn.k_proj.weight")->shape, (Shape{12, 12}));
  EXPECT_EQ(find(specs, "model.layers.3.self_attn.v_proj.weight")->shape, (Shape{12, 12}));
  EXPECT_EQ(find(specs, "model.layers.3.self_attn.o_proj.weight")->shape, (Shape{12, 24}));
  EXPECT_EQ(find(specs, "model.layers.3.mlp.gate_proj.weight")->shape, (Shape{20, 12}));
  EXPECT_EQ(find(specs, "model.layers.3.mlp.up_proj.weight")->shape, (Shape{20, 12}));
  EXPECT_EQ(find(specs, "model.layers.3.mlp.down_proj.weight")->shape, (Shape{12, 20}));
  EXPECT_EQ(find(specs, "model.layers.10.input_layernorm.weight")->shape, (Shape{12}));
  EXPECT_EQ(find(specs, "model.layers.10.post_attention_layernorm.weight")->shape, (Shape{12}));
  EXPECT_EQ(find(specs, "model.layers.11.input_layernorm.weight"), nullptr);
  EXPECT_EQ(find(specs, "lm_head.weight"), nullptr);
}

TEST(LlamaConfig, HeadIsAParameterOnlyWhereItIsNotTied) {
  LlamaConfig config = small_llama();
  config.tied_embeddings = false;
  EXPECT_EQ(find(parameter_specs(config), "lm_head.weight")->shape, (Shape{19, 12}));
}

TEST(LlamaConfig, ParametersAscendByBytes) {
  const auto specs = parameter_specs(small_llama());
  for (std::size_t i = 1; i < specs.size(); ++i) EXPECT_LT(specs[i - 1].name, specs[i].name);
  EXPECT_EQ(specs[1].name, "model.layers.0.input_layernorm.weight");
  EXPECT_EQ(specs[1 + 9 + 9].name, "model.layers.10.input_layernorm.weight");
}

TEST(LlamaConfig, LimitsNameTheValueAndBothNumbers) {
  const struct {
    std::function<void(LlamaConfig&)> apply;
    std::string what;
  } cases[] = {
      {[](LlamaConfig& c) { c.vocab_size = 0; }, "vocab_size 0 is outside 1 to 4194304"},
      {[](LlamaConfig& c) { c.vocab_size = (1u << 22) + 1; },
       "vocab_size 4194305 is outside 1 to 4194304"},
      {[](LlamaConfig& c) { c.hidden_size = 0; }, "hidden_size 0 is outside 1 to 262144"},
      {[](LlamaConfig& c) { c.intermediate_size = 262145; },
       "intermediate_size 262145 is outside 1 to 262144"},
      {[](LlamaConfig& c) { c.layer_count = 4097; }, "layer_count 4097 is outside 1 to 4096"},
      {[](LlamaConfig& c) { c.head_count = 0; }, "head_count 0 is outside 1 to 4096"},
      {[](LlamaConfig& c) { c.kv_head_count = 0; }, "kv_head_count 0 is outside 1 to 4096"},
      {[](LlamaConfig& c) { c.kv_head_count = 3; },
       "head_count 4 is no multiple of kv_head_count 3"},
      {[](LlamaConfig& c) { c.kv_head_count = 8; },
       "head_count 4 is no multiple of kv_head_count 8"},
      {[](LlamaConfig& c) { c.head_dim = 5; }, "head_dim 5 is odd"},
      {[](LlamaConfig& c) { c.head_dim = 0; }, "head_dim 0 is outside 1 to 4096"},
      {[](LlamaConfig& c) { c.head_count = 128, c.head_dim = 4096; },
       "head_count 128 times head_dim 4096 is above 262144"},
      {[](LlamaConfig& c) { c.max_positions = (1u << 24) + 1; },
       "max_positions 16777217 is outside 1 to 16777216"},
      {[](LlamaConfig& c) { c.rms_norm_eps = 0; }, "rms_norm_eps 0 is outside 2^-126 to 1"},
      {[](LlamaConfig& c) { c.rms_norm_eps = -1e-5F; },
       "rms_norm_eps -1e-05 is outside 2^-126 to 1"},
      {[](LlamaConfig& c) { c.rms_norm_eps = std::numeric_limits<float>::quiet_NaN(); },
       "rms_norm_eps nan is outside 2^-126 to 1"},
      {[](LlamaConfig& c) { c.rope_theta = 0.5; }, "rope_theta 0.5 is outside 1 to 2^64"},
      {[](LlamaConfig& c) { c.rope_theta = std::numeric_limits<double>::infinity(); },
       "rope_theta inf is outside 1 to 2^64"},
      {[](LlamaConfig& c) { c.rope_theta = std::numeric_limits<double>::quiet_NaN(); },
       "rope_theta nan is outside 1 to 2^64"},
  };
  ASSERT_TRUE(check_config(small_llama()));
  for (const auto& c : cases) {
    LlamaConfig config = small_llama();
    c.apply(config);
    const Status status = check_config(config);
    ASSERT_FALSE(status) << c.what;
    EXPECT_EQ(status.error().code, Code::kInvalidInput);
    EXPECT_EQ(status.error().what, c.what);
  }
}

Result<LlamaConfig> llama_from_contract(const codec::Json& json) {
  AFTUNE_TRY(auto reader, codec::JsonReader::open(json, "contract.model.architecture"));
  return architecture_from_contract(reader);
}

TEST(LlamaConfig, ContractGivesBackTheArchitecture) {
  LlamaConfig config = small_llama();
  config.rope_theta = 500000.25;
  for (const bool tied : {true, false}) {
    config.tied_embeddings = tied;
    const auto json = codec::parse_json(codec::canonical_json(to_contract(config)), {});
    ASSERT_TRUE(json);
    const auto got = llama_from_contract(*json);
    ASSERT_TRUE(got) << got.error().what;
    EXPECT_EQ(*got, config);
  }
}

TEST(LlamaConfig, ContractIsReadStrictly) {
  const struct {
    std::string name;
    std::function<void(codec::Json::Object&)> apply;
    std::string what;
  } lies[] = {
      {"other family", [](auto& o) { o["family"] = "gpt2"; },
       "family: \"gpt2\", supported are llama, mistral, qwen2, qwen3"},
      {"missing member", [](auto& o) { o.erase("head_dim"); }, "head_dim"},
      {"unknown member", [](auto& o) { o["sliding_window"] = 4; }, "sliding_window"},
      {"text for a number", [](auto& o) { o["vocab_size"] = "19"; }, "vocab_size"},
      {"zero layers", [](auto& o) { o["layer_count"] = 0; }, "layer_count"},
      {"above the limit", [](auto& o) { o["layer_count"] = 5000; }, "layer_count 5000"},
      {"eps is no fp32", [](auto& o) { o["rms_norm_eps"] = codec::hex_float(1e-5); },
       "no fp32 value"},
      {"number for tied", [](auto& o) { o["tied_embeddings"] = 1; }, "tied_embeddings"},
      {"decimal theta", [](auto& o) { o["rope_theta"] = "10000"; }, "rope_theta"},
  };
  for (const auto& lie : lies) {
    codec::Json json = to_contract(small_llama());
    lie.apply(*json.object());
    const auto got = llama_from_contract(json);
    ASSERT_FALSE(got) << lie.name;
    EXPECT_NE(got.error().what.find(lie.what), std::string::npos) << got.error().what;
    EXPECT_EQ(got.error().what.rfind("contract.model.architecture", 0), 0U) << got.error().what;
  }
}

TEST(InvFreq, FollowsTheBaseToWithinARounding) {
  for (const double theta : {1.0, 10000.0, 100000.0, 500000.0, 1e6}) {
    LlamaConfig config = small_llama();
    config.rope_theta = theta;
    config.head_dim = 64;
    const Tensor table = make_inv_freq(config);
    ASSERT_EQ(table.shape(), (Shape{32}));
    for (int i = 0; i < 32; ++i) {
      const double expected = std::pow(theta, -2.0 * i / 64.0);
      EXPECT_NEAR(table.data()[i] / expected, 1.0, 0x1p-22) << theta << " " << i;
    }
    EXPECT_EQ(table.data()[0], 1.0F);
  }
}

TEST(InvFreq, HasTheBitsOfTransformersForSmolLM2) {
  // From transformers 5.23.0 with torch 2.15.0: head_dim 64, rope_theta 100000.
  LlamaConfig config = small_llama();
  config.rope_theta = 100000;
  config.head_dim = 64;
  const Tensor table = make_inv_freq(config);
  const std::pair<std::size_t, float> expected[] = {
      {0, 0x1.0000000000000p+0F},   {1, 0x1.654a0c0000000p-1F},  {2, 0x1.f2a79e0000000p-2F},
      {5, 0x1.52e8120000000p-3F},   {11, 0x1.39172e0000000p-6F}, {16, 0x1.9e7c700000000p-9F},
      {23, 0x1.0b35520000000p-12F}, {31, 0x1.e0d6da0000000p-17F}};
  for (const auto& [i, value] : expected) EXPECT_EQ(table.f32()[i], value) << i;
}

}  // namespace
}  // namespace aftune::model
