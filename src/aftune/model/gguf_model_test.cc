// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/gguf_model.h"

#include <gtest/gtest.h>

#include <functional>

#include "aftune/model/gguf_testing.h"

namespace aftune::model {
namespace {

using testing::GgufText;
using testing::tiny_gguf;

Result<LlamaConfig> config_of(const GgufText& text) {
  const std::string bytes = text.bytes();
  AFTUNE_TRY(const GgufFile file, GgufFile::parse(as_bytes(bytes)));
  return gguf_config(file);
}

Result<TensorMap> parameters_of(const GgufText& text) {
  const std::string bytes = text.bytes();
  AFTUNE_TRY(const GgufFile file, GgufFile::parse(as_bytes(bytes)));
  AFTUNE_TRY(const LlamaConfig config, gguf_config(file));
  return gguf_parameters(file, config);
}

TEST(GgufModel, MetadataGivesTheArchitecture) {
  const LlamaConfig expected = {.vocab_size = 5,
                                .hidden_size = 8,
                                .intermediate_size = 16,
                                .layer_count = 1,
                                .head_count = 2,
                                .kv_head_count = 1,
                                .head_dim = 4,
                                .max_positions = 64,
                                .rms_norm_eps = 1e-5F,
                                .rope_theta = 100000,
                                .tied_embeddings = true};
  const auto got = config_of(tiny_gguf());
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, expected);
}

TEST(GgufModel, AbsentKeysHaveTheStatedMeaning) {
  GgufText text = tiny_gguf();
  text.drop("llama.attention.head_count_kv");
  text.drop("llama.rope.freq_base");
  const auto got = config_of(text);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->kv_head_count, 2U);
  EXPECT_EQ(got->rope_theta, 10000.0);
}

TEST(GgufModel, KeysThatSayTheSameAgainAreAccepted) {
  GgufText text = tiny_gguf();
  text.set_u32("llama.vocab_size", 5);
  text.set_u32("llama.rope.dimension_count", 4);
  text.set_u32("llama.attention.key_length", 4);
  text.set_u32("llama.attention.value_length", 4);
  text.set_u32("llama.expert_count", 0);
  text.set_text("llama.rope.scaling.type", "none");
  text.set_text("general.type", "model");
  text.set_text("general.name", "anything");
  text.set_text("provenance.note", "anything");
  const auto got = config_of(text);
  EXPECT_TRUE(got) << got.error().what;
}

struct Lie {
  std::string key;
  std::function<void(GgufText&)> apply;
  Code code;
};

TEST(GgufModel, KeysThatChangeTheModelAreRefusedByName) {
  const Lie lies[] = {
      {"general.architecture", [](auto& t) { t.set_text("general.architecture", "gemma"); },
       Code::kUnsupported},
      {"general.architecture", [](auto& t) { t.drop("general.architecture"); },
       Code::kInvalidInput},
      {"general.type", [](auto& t) { t.set_text("general.type", "adapter"); }, Code::kUnsupported},
      {"split.count", [](auto& t) { t.set("split.count", 2, std::string("\x02\x00", 2)); },
       Code::kUnsupported},
      {"llama.block_count", [](auto& t) { t.drop("llama.block_count"); }, Code::kInvalidInput},
      {"llama.block_count", [](auto& t) { t.set_f32("llama.block_count", 1); },
       Code::kInvalidInput},
      {"layer_count", [](auto& t) { t.set_u32("llama.block_count", 1U << 31); },
       Code::kInvalidInput},
      {"llama.context_length", [](auto& t) { t.drop("llama.context_length"); },
       Code::kInvalidInput},
      {"llama.attention.head_count", [](auto& t) { t.set_i32s("llama.attention.head_count", {2}); },
       Code::kUnsupported},
      {"llama.attention.head_count", [](auto& t) { t.set_u32("llama.attention.head_count", 0); },
       Code::kInvalidInput},
      {"llama.attention.layer_norm_rms_epsilon",
       [](auto& t) { t.drop("llama.attention.layer_norm_rms_epsilon"); }, Code::kInvalidInput},
      {"llama.rope.freq_base", [](auto& t) { t.set_u32("llama.rope.freq_base", 10000); },
       Code::kInvalidInput},
      {"llama.rope.dimension_count", [](auto& t) { t.set_u32("llama.rope.dimension_count", 2); },
       Code::kUnsupported},
      {"llama.rope.scaling.type", [](auto& t) { t.set_text("llama.rope.scaling.type", "linear"); },
       Code::kUnsupported},
      {"llama.rope.scaling.factor", [](auto& t) { t.set_f32("llama.rope.scaling.factor", 2); },
       Code::kUnsupported},
      {"llama.attention.value_length",
       [](auto& t) { t.set_u32("llama.attention.value_length", 8); }, Code::kUnsupported},
      {"llama.expert_count", [](auto& t) { t.set_u32("llama.expert_count", 8); },
       Code::kUnsupported},
      {"llama.vocab_size", [](auto& t) { t.set_u32("llama.vocab_size", 6); }, Code::kUnsupported},
      {"llama.attention.sliding_window",
       [](auto& t) { t.set_u32("llama.attention.sliding_window", 8); }, Code::kUnsupported},
      {"tokenizer.ggml.tokens", [](auto& t) { t.drop("tokenizer.ggml.tokens"); },
       Code::kInvalidInput},
  };
  for (const Lie& lie : lies) {
    GgufText text = tiny_gguf();
    lie.apply(text);
    const auto got = config_of(text);
    ASSERT_FALSE(got) << lie.key;
    EXPECT_EQ(got.error().code, lie.code) << got.error().what;
    EXPECT_NE(got.error().what.find(lie.key), std::string::npos) << got.error().what;
  }
}

TEST(GgufModel, TensorsGetTheirNames) {
  const GgufText text = tiny_gguf();
  const auto got = parameters_of(text);
  ASSERT_TRUE(got) << got.error().what;
  ASSERT_EQ(got->size(), 11U);
  // tiny_gguf counts through all elements, so the first tells which tensor it is.
  const std::pair<const char*, float> firsts[] = {
      {"model.embed_tokens.weight", 0.0F},
      {"model.layers.0.input_layernorm.weight", 40.0F},
      {"model.layers.0.post_attention_layernorm.weight", 48.0F},
      {"model.layers.0.self_attn.q_proj.weight", 56.0F},
      {"model.layers.0.self_attn.k_proj.weight", 120.0F},
      {"model.layers.0.self_attn.v_proj.weight", 152.0F},
      {"model.layers.0.self_attn.o_proj.weight", 184.0F},
      {"model.layers.0.mlp.gate_proj.weight", 248.0F},
      {"model.layers.0.mlp.up_proj.weight", 376.0F},
      {"model.layers.0.mlp.down_proj.weight", 504.0F},
      {"model.norm.weight", 632.0F}};
  for (const auto& [name, first] : firsts) EXPECT_EQ(got->at(name).f32()[0], first) << name;
  EXPECT_EQ(got->at("model.layers.0.mlp.down_proj.weight").shape(), (Shape{8, 16}));
  EXPECT_EQ(got->at("model.layers.0.self_attn.v_proj.weight").f32()[31], 183.0F);
}

TEST(GgufModel, RotaryPermutationIsUndoneInEachHead) {
  // Width of a head 4: the file's rows 0 1 2 3 of a head are the halves' 0, 2, 1, 3.
  GgufText text = tiny_gguf();
  const auto got = parameters_of(text);
  ASSERT_TRUE(got);
  const auto q = got->at("model.layers.0.self_attn.q_proj.weight").f32();
  const std::size_t file_rows[] = {0, 2, 1, 3, 4, 6, 5, 7};
  for (std::size_t row = 0; row < 8; ++row) {
    for (std::size_t column = 0; column < 8; ++column) {
      EXPECT_EQ(q[row * 8 + column], 56.0F + static_cast<float>(file_rows[row] * 8 + column));
    }
  }
  const auto k = got->at("model.layers.0.self_attn.k_proj.weight").f32();
  EXPECT_EQ(k[8], 120.0F + 16.0F);
  EXPECT_EQ(k[16], 120.0F + 8.0F);
}

TEST(GgufModel, HeadOfItsOwnIsNotTied) {
  GgufText text = tiny_gguf();
  text.tensors.push_back({"output.weight", {8, 5}, 0, std::string(160, '\0')});
  EXPECT_FALSE(config_of(text)->tied_embeddings);
  const auto got = parameters_of(text);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->at("lm_head.weight").shape(), (Shape{5, 8}));
}

TEST(GgufModel, EncodedTensorsAreDecoded) {
  GgufText text = tiny_gguf();
  text.tensor("output_norm.weight") = {"output_norm.weight", {8}, 30, {}};
  for (int i = 0; i < 8; ++i) text.tensor("output_norm.weight").data += "\x80\x3f";
  const auto got = parameters_of(text);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->at("model.norm.weight").f32()[7], 1.0F);
}

TEST(GgufModel, OtherTensorsAreRefusedByName) {
  const Lie lies[] = {
      {"tensor output_norm.weight is missing", [](auto& t) { t.tensors.pop_back(); },
       Code::kInvalidInput},
      {"unknown tensor rope_freqs.weight",
       [](auto& t) {
         t.tensors.push_back({"rope_freqs.weight", {8}, 0, std::string(32, 0)});
       },
       Code::kUnsupported},
      {"unknown tensor blk.1.attn_norm.weight",
       [](auto& t) {
         t.tensors.push_back({"blk.1.attn_norm.weight", {8}, 0, std::string(32, 0)});
       },
       Code::kUnsupported},
      {"unknown tensor blk.00.attn_norm.weight",
       [](auto& t) { t.tensor("blk.0.attn_norm.weight").name = "blk.00.attn_norm.weight"; },
       Code::kUnsupported},
      {"unknown tensor blk.0.attn_q.bias",
       [](auto& t) {
         t.tensors.push_back({"blk.0.attn_q.bias", {8}, 0, std::string(32, 0)});
       },
       Code::kUnsupported},
      {"tensor blk.0.ffn_down.weight is [16, 8], expected [8, 16]",
       [](auto& t) {
         t.tensor("blk.0.ffn_down.weight").dimensions = {8, 16};
       },
       Code::kInvalidInput},
      {"tensor blk.0.attn_norm.weight is [1, 8], expected [8]",
       [](auto& t) {
         t.tensor("blk.0.attn_norm.weight").dimensions = {8, 1};
       },
       Code::kInvalidInput},
  };
  for (const Lie& lie : lies) {
    GgufText text = tiny_gguf();
    lie.apply(text);
    const auto got = parameters_of(text);
    ASSERT_FALSE(got) << lie.key;
    EXPECT_EQ(got.error().code, lie.code) << got.error().what;
    EXPECT_EQ(got.error().what, lie.key);
  }
}

}  // namespace
}  // namespace aftune::model
