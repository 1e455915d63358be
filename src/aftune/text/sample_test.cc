// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "aftune/text/dataset.h"

namespace aftune::text {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::int32_t kNoLabel = -100;

/// a b c d are tokens 0 to 3, "ab" and "cd" are 4 and 5, "<s>" is 6.
const Tokenizer& sample_tokenizer() {
  static const Tokenizer kTokenizer = *Tokenizer::parse(
      R"({"added_tokens":[{"id":6,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,)"
      R"("normalized":false,"special":true}],"pre_tokenizer":{"type":"ByteLevel",)"
      R"("add_prefix_space":false},"decoder":{"type":"ByteLevel"},"model":{"type":"BPE",)"
      R"("vocab":{"a":0,"b":1,"c":2,"d":3,"ab":4,"cd":5},"merges":["a b","c d"]}})");
  return kTokenizer;
}

TextRule pairs_rule() { return {"prompt_completion", "a", "b", "<s>", 8, 9, 7, 8, "completion"}; }

TextRule text_rule() { return {"text", "", "", "", -1, -1, 7, 6, "all"}; }

Sample sample(const TextRule& rule, std::string_view row) {
  const auto made = make_sample(rule, sample_tokenizer(), row, 3);
  EXPECT_TRUE(made) << made.error().what;
  return *made;
}

TEST(Sample, TextIsPaddedAndEveryTokenButTheFirstCounts) {
  const Sample s = sample(text_rule(), R"({"text":"abcdc"})");
  EXPECT_EQ(s.tokens, (Ids{4, 5, 2, 7, 7, 7}));
  EXPECT_EQ(s.targets, (Ids{5, 2, kNoLabel, kNoLabel, kNoLabel, kNoLabel}));
  EXPECT_EQ(s.counted, 2u);
}

TEST(Sample, OnlyTheCompletionCounts) {
  const Sample s = sample(pairs_rule(), R"({"prompt":"c","completion":"d"})");
  EXPECT_EQ(s.tokens, (Ids{8, 0, 2, 1, 3, 6, 9, 7}));
  EXPECT_EQ(s.targets, (Ids{kNoLabel, kNoLabel, kNoLabel, 3, 6, 9, kNoLabel, kNoLabel}));
  EXPECT_EQ(s.counted, 3u);
}

TEST(Sample, NoTokenSpansPromptAndCompletion) {
  TextRule rule = pairs_rule();
  rule.before_completion = "";
  EXPECT_EQ(sample(rule, R"({"prompt":"a","completion":"b"})").tokens,
            (Ids{8, 0, 0, 1, 6, 9, 7, 7}));
}

TEST(Sample, LongRowsAreCutOnTheRight) {
  TextRule rule = text_rule();
  rule.sequence = 3;
  rule.eos_id = 9;
  const Sample s = sample(rule, R"({"text":"abcdab"})");
  EXPECT_EQ(s.tokens, (Ids{4, 5, 4}));
  EXPECT_EQ(s.targets, (Ids{5, 4, kNoLabel}));
  rule = pairs_rule();
  rule.sequence = 4;
  EXPECT_EQ(sample(rule, R"({"prompt":"cc","completion":"d"})").counted, 0u);
}

TEST(Sample, ExactlyFullRowsAreNeitherCutNorPadded) {
  TextRule rule = text_rule();
  rule.sequence = 2;
  EXPECT_EQ(sample(rule, R"({"text":"abcd"})").tokens, (Ids{4, 5}));
  EXPECT_EQ(sample(rule, R"({"text":"abcd"})").counted, 1u);
}

TEST(Sample, ARealTokenThatEqualsThePaddingCounts) {
  TextRule rule = text_rule();
  rule.pad_id = 9;
  rule.eos_id = 9;
  const Sample s = sample(rule, R"({"text":"ab"})");
  EXPECT_EQ(s.tokens, (Ids{4, 9, 9, 9, 9, 9}));
  EXPECT_EQ(s.counted, 1u);
}

TEST(Sample, TheFirstTokenIsNeverATarget) {
  TextRule rule = pairs_rule();
  rule.bos_id = -1;
  rule.before_prompt = rule.before_completion = "";
  const Sample s = sample(rule, R"({"prompt":"","completion":"ab"})");
  EXPECT_EQ(s.tokens, (Ids{4, 6, 9, 7, 7, 7, 7, 7}));
  EXPECT_EQ(s.counted, 2u);
}

TEST(Sample, EmptyTextIsAllPadding) {
  const Sample s = sample(text_rule(), R"({"text":""})");
  EXPECT_EQ(s.tokens, Ids(6, 7));
  EXPECT_EQ(s.counted, 0u);
}

TEST(Sample, OtherMembersAreIgnored) {
  EXPECT_EQ(sample(text_rule(), R"({"id":7,"meta":{"a":[1]},"text":"ab"})").tokens,
            sample(text_rule(), R"({"text":"ab"})").tokens);
}

TEST(Sample, RowsOfAnotherFormAreRefusedByIndex) {
  for (const char* row :
       {"", "7", "[]", "{}", R"({"text":1})", R"({"text":null})", R"({"Text":"a"})",
        R"({"text":"a")",
        R"({"text":"a"} )"
        "x",
        R"({"text":"a","text":"b"})", "{\"text\":\"\xFF\"}", R"({"text":"\ud800"})"}) {
    const auto made = make_sample(text_rule(), sample_tokenizer(), row, 12);
    ASSERT_FALSE(made) << row;
    EXPECT_EQ(made.error().code, Code::kInvalidInput);
    EXPECT_EQ(made.error().what.find("row 12: "), 0u) << made.error().what;
  }
  EXPECT_FALSE(make_sample(pairs_rule(), sample_tokenizer(), R"({"prompt":"a"})", 0));
  EXPECT_FALSE(make_sample(pairs_rule(), sample_tokenizer(), R"({"text":"a"})", 0));
}

}  // namespace
}  // namespace aftune::text
