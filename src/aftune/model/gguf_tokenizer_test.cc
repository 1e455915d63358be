// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/gguf_tokenizer.h"

#include <gtest/gtest.h>

#include <functional>

#include "aftune/base/check.h"
#include "aftune/model/gguf_testing.h"

namespace aftune::model {
namespace {

using codec::Json;
using testing::GgufText;
using testing::tiny_gguf;

Result<GgufTokenizer> tokenizer_of(const GgufText& text) {
  const std::string bytes = text.bytes();
  AFTUNE_TRY(const GgufFile file, GgufFile::parse(as_bytes(bytes)));
  return gguf_tokenizer(file);
}

const Json& at(const Json& json, std::initializer_list<const char*> path) {
  const Json* value = &json;
  for (const char* name : path) {
    value = value->find(name);
    AFTUNE_CHECK(value != nullptr, name);
  }
  return *value;
}

TEST(GgufTokenizer, VocabularyAndMergesAreTheFiles) {
  const auto got = tokenizer_of(tiny_gguf());
  ASSERT_TRUE(got) << got.error().what;
  const Json::Object vocabulary = {{"<|end|>", 0}, {"a", 1}, {"b", 2}, {"ab", 3}, {"<tool>", 4}};
  EXPECT_EQ(at(got->tokenizer, {"model", "vocab"}), Json(vocabulary));
  EXPECT_EQ(at(got->tokenizer, {"model", "merges"}), Json(Json::Array{"a b"}));
  EXPECT_EQ(at(got->tokenizer, {"model", "type"}), Json("BPE"));
  EXPECT_EQ(at(got->tokenizer, {"decoder", "type"}), Json("ByteLevel"));
  EXPECT_TRUE(at(got->tokenizer, {"post_processor"}).is_null());
}

TEST(GgufTokenizer, ControlAndUserDefinedTokensAreAdded) {
  const auto got = tokenizer_of(tiny_gguf());
  ASSERT_TRUE(got);
  const Json::Array& added = *at(got->tokenizer, {"added_tokens"}).array();
  ASSERT_EQ(added.size(), 2U);
  EXPECT_EQ(at(added[0], {"content"}), Json("<|end|>"));
  EXPECT_EQ(at(added[0], {"special"}), Json(true));
  EXPECT_EQ(at(added[0], {"normalized"}), Json(false));
  EXPECT_EQ(at(added[1], {"id"}), Json(4));
  EXPECT_EQ(at(added[1], {"special"}), Json(false));
}

TEST(GgufTokenizer, EachKindOfSplittingIsSpeltOut) {
  GgufText text = tiny_gguf();
  const Json smollm = at(tokenizer_of(text)->tokenizer, {"pre_tokenizer"});
  ASSERT_NE(at(smollm, {"pretokenizers"}).array(), nullptr);
  const Json::Array& steps = *at(smollm, {"pretokenizers"}).array();
  EXPECT_EQ(steps[0], Json(Json::Object{{"type", "Digits"}, {"individual_digits", true}}));
  EXPECT_EQ(at(steps[1], {"use_regex"}), Json(true));
  EXPECT_EQ(at(steps[1], {"add_prefix_space"}), Json(false));

  text.set_text("tokenizer.ggml.pre", "gpt-2");
  EXPECT_EQ(at(tokenizer_of(text)->tokenizer, {"pre_tokenizer"}), steps[1]);

  text.set_text("tokenizer.ggml.pre", "llama-bpe");
  const Json llama = tokenizer_of(text)->tokenizer;
  EXPECT_EQ(at(llama, {"model", "ignore_merges"}), Json(true));
  const Json& split = at(llama, {"pre_tokenizer", "pretokenizers"}).array()->front();
  EXPECT_EQ(at(split, {"pattern", "Regex"}),
            Json("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
                 "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"));
  EXPECT_EQ(at(split, {"behavior"}), Json("Isolated"));

  text.set_text("tokenizer.ggml.pre", "qwen2");
  const Json qwen = tokenizer_of(text)->tokenizer;
  EXPECT_EQ(at(qwen, {"normalizer", "type"}), Json("NFC"));
  EXPECT_EQ(at(qwen, {"model", "ignore_merges"}), Json(false));
}

TEST(GgufTokenizer, SpecialTokensAndTemplateReachTheConfig) {
  GgufText text = tiny_gguf();
  text.set_u32("tokenizer.ggml.bos_token_id", 3);
  text.set_u32("tokenizer.ggml.padding_token_id", 0);
  text.set_u32("tokenizer.ggml.unknown_token_id", 4);
  text.set_u32("tokenizer.ggml.eot_token_id", 99);
  text.set_text("tokenizer.chat_template", "{% if x %}\n");
  const auto got = tokenizer_of(text);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(at(got->tokenizer_config, {"bos_token"}), Json("ab"));
  EXPECT_EQ(at(got->tokenizer_config, {"eos_token"}), Json("<|end|>"));
  EXPECT_EQ(at(got->tokenizer_config, {"pad_token"}), Json("<|end|>"));
  EXPECT_EQ(at(got->tokenizer_config, {"unk_token"}), Json("<tool>"));
  EXPECT_EQ(at(got->tokenizer_config, {"chat_template"}), Json("{% if x %}\n"));
  EXPECT_EQ(at(got->tokenizer_config, {"model_max_length"}), Json(64));
  EXPECT_EQ(got->special_ids,
            (Json::Object{{"bos_token_id", 3}, {"eos_token_id", 0}, {"pad_token_id", 0}}));
}

TEST(GgufTokenizer, FirstTokenIsPutInFrontWhereTheFileSaysSo) {
  GgufText text = tiny_gguf();
  text.set_bool("tokenizer.ggml.add_bos_token", true);
  text.set_u32("tokenizer.ggml.bos_token_id", 0);
  const auto got = tokenizer_of(text);
  ASSERT_TRUE(got) << got.error().what;
  const Json& post = at(got->tokenizer, {"post_processor"});
  EXPECT_EQ(at(post, {"type"}), Json("TemplateProcessing"));
  EXPECT_EQ(at(at(post, {"single"}).array()->front(), {"SpecialToken", "id"}), Json("<|end|>"));
  EXPECT_EQ(at(post, {"special_tokens", "<|end|>", "ids"}), Json(Json::Array{0}));
  text.drop("tokenizer.ggml.bos_token_id");
  EXPECT_FALSE(tokenizer_of(text));
}

TEST(GgufTokenizer, LiesAreNamed) {
  const struct {
    std::function<void(GgufText&)> apply;
    std::string what;
    Code code;
  } lies[] = {
      {[](auto& t) { t.set_text("tokenizer.ggml.model", "llama"); }, "tokenizer.ggml.model",
       Code::kUnsupported},
      {[](auto& t) { t.drop("tokenizer.ggml.model"); }, "tokenizer.ggml.model",
       Code::kInvalidInput},
      {[](auto& t) { t.set_text("tokenizer.ggml.pre", "tekken"); },
       "tokenizer.ggml.pre is \"tekken\"", Code::kUnsupported},
      {[](auto& t) { t.drop("tokenizer.ggml.pre"); }, "tokenizer.ggml.pre", Code::kInvalidInput},
      {[](auto& t) { t.drop("tokenizer.ggml.merges"); }, "tokenizer.ggml.merges",
       Code::kInvalidInput},
      {[](auto& t) { t.set_texts("tokenizer.ggml.merges", {"ab"}); }, "merge 0 \"ab\"",
       Code::kInvalidInput},
      {[](auto& t) {
         t.set_texts("tokenizer.ggml.merges", {"a b", "a b "});
       },
       "merge 1", Code::kInvalidInput},
      {[](auto& t) { t.set_texts("tokenizer.ggml.merges", {"a c"}); }, "merge 0 \"a c\"",
       Code::kInvalidInput},
      {[](auto& t) { t.set_texts("tokenizer.ggml.merges", {"b a"}); }, "merge 0 \"b a\"",
       Code::kInvalidInput},
      {[](auto& t) {
         t.set_texts("tokenizer.ggml.tokens", {"a", "b", "ab", "c", "a"});
       },
       "token 4 \"a\" is there twice", Code::kInvalidInput},
      {[](auto& t) {
         t.set_texts("tokenizer.ggml.tokens", {"a", "b", "ab", "", "c"});
       },
       "token 3 is empty", Code::kInvalidInput},
      {[](auto& t) {
         t.set_i32s("tokenizer.ggml.token_type", {3, 1, 1, 1});
       },
       "tokenizer.ggml.token_type is no array of 5 i32", Code::kInvalidInput},
      {[](auto& t) {
         t.set_i32s("tokenizer.ggml.token_type", {3, 1, 6, 1, 1});
       },
       "token 2 has type 6", Code::kUnsupported},
      {[](auto& t) { t.set_u32("tokenizer.ggml.eos_token_id", 5); },
       "tokenizer.ggml.eos_token_id is no id below 5", Code::kInvalidInput},
      {[](auto& t) { t.set_bool("tokenizer.ggml.add_space_prefix", true); },
       "tokenizer.ggml.add_space_prefix is true", Code::kUnsupported},
      {[](auto& t) { t.set_bool("tokenizer.ggml.add_eos_token", true); },
       "tokenizer.ggml.add_eos_token is true", Code::kUnsupported},
      {[](auto& t) { t.set_u32("tokenizer.ggml.add_bos_token", 1); },
       "tokenizer.ggml.add_bos_token is no bool", Code::kInvalidInput},
      {[](auto& t) { t.set_u32("tokenizer.chat_template", 1); }, "tokenizer.chat_template",
       Code::kInvalidInput},
      {[](auto& t) { t.set_bool("tokenizer.ggml.remove_extra_whitespaces", true); },
       "unknown key tokenizer.ggml.remove_extra_whitespaces", Code::kUnsupported},
  };
  for (const auto& lie : lies) {
    GgufText text = tiny_gguf();
    lie.apply(text);
    const auto got = tokenizer_of(text);
    ASSERT_FALSE(got) << lie.what;
    EXPECT_EQ(got.error().code, lie.code) << got.error().what;
    EXPECT_NE(got.error().what.find(lie.what), std::string::npos) << got.error().what;
  }
}

}  // namespace
}  // namespace aftune::model
