// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/pre_tokenizer.h"

#include <gtest/gtest.h>

namespace aftune::text {
namespace {

Result<PreTokenizer> parse_splits(const std::string& json) {
  return PreTokenizer::parse(*codec::parse_json(json, {}));
}

std::string byte_level(bool prefix, bool regex) {
  return std::string(R"({"type":"ByteLevel","add_prefix_space":)") + (prefix ? "true" : "false") +
         R"(,"trim_offsets":true,"use_regex":)" + (regex ? "true" : "false") + "}";
}

std::string before_bytes(const std::string& step) {
  return R"({"type":"Sequence","pretokenizers":[)" + step + "," + byte_level(false, false) + "]}";
}

std::string split_step(const std::string& pattern, const std::string& behavior, bool invert) {
  return R"({"type":"Split","pattern":)" + pattern + R"(,"behavior":")" + behavior +
         R"(","invert":)" + (invert ? "true" : "false") + "}";
}

std::vector<std::string> pieces(const std::string& json, const std::string& text) {
  const auto made = parse_splits(json);
  EXPECT_TRUE(made) << json << ": " << made.error().what;
  std::vector<std::string> out;
  EXPECT_TRUE(made->split(text, [&](std::string_view piece) { out.emplace_back(piece); }));
  return out;
}

using Strings = std::vector<std::string>;

TEST(PreTokenizer, ByteLevelSplitsAsGpt2) {
  EXPECT_EQ(pieces(byte_level(false, true), "It's  two\n\n 12!"),
            (Strings{"It", "'s", " ", " two", "\n\n", " 12", "!"}));
  EXPECT_EQ(pieces(byte_level(true, true), "a b"), (Strings{" a", " b"}));
  EXPECT_EQ(pieces(byte_level(true, false), " a b"), (Strings{" a b"}));
  EXPECT_EQ(pieces(byte_level(true, true), ""), Strings{});
}

TEST(PreTokenizer, DigitsAreCutOutOneByOneOrInRuns) {
  const std::string individual = R"({"type":"Digits","individual_digits":true})";
  const std::string runs = R"({"type":"Digits","individual_digits":false})";
  EXPECT_EQ(pieces(before_bytes(individual), "a12 b"), (Strings{"a", "1", "2", " b"}));
  EXPECT_EQ(pieces(before_bytes(runs), "a12 b\u00bd"), (Strings{"a", "12", " b", "\u00bd"}));
}

TEST(PreTokenizer, SplitKeepsWhatItsBehaviorSays) {
  const std::string comma = R"({"String":","})", letters = R"({"Regex":"\\p{L}+"})";
  EXPECT_EQ(pieces(before_bytes(split_step(comma, "Isolated", false)), "a,,b"),
            (Strings{"a", ",", ",", "b"}));
  EXPECT_EQ(pieces(before_bytes(split_step(comma, "Isolated", true)), "a,b"),
            (Strings{"a", ",", "b"}));
  EXPECT_EQ(pieces(before_bytes(split_step(comma, "Removed", false)), ",a,,b"),
            (Strings{"a", "b"}));
  EXPECT_EQ(pieces(before_bytes(split_step(letters, "Removed", true)), "ab, c."),
            (Strings{"ab", "c"}));
}

TEST(PreTokenizer, RefusesWhatItDoesNotKnowByName) {
  struct Lie {
    std::string json, named;
  };
  const std::string digits = R"({"type":"Digits","individual_digits":true})";
  std::string many = digits;
  for (int i = 0; i < 16; ++i) many += "," + digits;
  const Lie lies[] = {
      {R"({"type":"Metaspace","replacement":"_"})", "Metaspace"},
      {before_bytes(R"({"type":"Punctuation"})"), "Punctuation"},
      {digits, "ByteLevel"},
      {R"({"type":"Sequence","pretokenizers":[]})", "ByteLevel"},
      {R"({"type":"Sequence","pretokenizers":[)" + byte_level(false, true) + "," + digits + "]}",
       "pre_tokenizer[1]"},
      {before_bytes(byte_level(false, true)), "pre_tokenizer[1]"},
      {before_bytes(split_step(R"({"String":","})", "MergedWithNext", false)), "MergedWithNext"},
      {before_bytes(split_step(R"({"Regex":"^a"})", "Isolated", false)), "pre_tokenizer[0]"},
      {before_bytes(split_step(R"({"String":""})", "Isolated", false)), "empty"},
      {before_bytes(many), "16 steps"},
  };
  for (const Lie& lie : lies) {
    const auto made = parse_splits(lie.json);
    ASSERT_FALSE(made) << lie.json;
    EXPECT_EQ(made.error().code, Code::kUnsupported) << made.error().what;
    EXPECT_NE(made.error().what.find(lie.named), std::string::npos) << made.error().what;
  }
  for (const char* json : {"null", "[]", "{}", R"({"type":"ByteLevel"})",
                           R"({"type":"ByteLevel","add_prefix_space":false,"more":1})"}) {
    const auto made = parse_splits(json);
    ASSERT_FALSE(made) << json;
    EXPECT_EQ(made.error().code, Code::kInvalidInput) << json;
  }
}

}  // namespace
}  // namespace aftune::text
