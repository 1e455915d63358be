// SPDX-License-Identifier: Apache-2.0
// Samples of messages and of tokens, and packed samples.
#include <gtest/gtest.h>

#include "aftune/text/dataset.h"

namespace aftune::text {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::int32_t kNone = -100;

/// One token a byte of what a tiny chat needs: letters 0 to 25 and line feed 26; the marks
/// <|im_start|> 27 and <|im_end|> 28.
const Tokenizer& tokenizer() {
  static const Tokenizer kTokenizer = [] {
    std::string vocab;
    for (char c = 'a'; c <= 'z'; ++c) {
      vocab += std::string("\"") + c + "\":" + std::to_string(c - 'a') + ",";
    }
    const auto mark = [](int id, const std::string& text) {
      return "{\"id\":" + std::to_string(id) + ",\"content\":\"" + text +
             "\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
             "\"special\":true}";
    };
    return *Tokenizer::parse(
        "{\"added_tokens\":[" + mark(27, "<|im_start|>") + "," + mark(28, "<|im_end|>") +
        "],\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"decoder\":{"
        "\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{" +
        vocab + "\"\u010a\":26},\"merges\":[]}}");
  }();
  return kTokenizer;
}

Ids ids(std::string_view text) { return *tokenizer().encode(text); }

TextRule chat_rule(std::uint32_t sequence, const char* labels = "completion") {
  return {"messages", "", "", "", -1, -1, 0, sequence, labels, ChatTemplate::kChatml};
}

constexpr const char* kChat =
    R"({"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},)"
    R"({"role":"user","content":"go"},{"role":"assistant","content":"ok","name":null}]})";

/// The tokens that some target names, in order.
Ids counted(const Sample& sample) {
  Ids out;
  for (std::size_t t = 0; t < sample.targets.size(); ++t) {
    if (sample.targets[t] == kNone) continue;
    EXPECT_EQ(sample.targets[t], sample.tokens[t + 1]) << t;
    out.push_back(sample.targets[t]);
  }
  EXPECT_EQ(out.size(), sample.counted);
  return out;
}

TEST(ChatSample, HasTheTemplatesTextAndCountsAnswersWithTheirEnd) {
  const std::string whole =
      "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n"
      "<|im_start|>user\ngo<|im_end|>\n<|im_start|>assistant\nok<|im_end|>\n";
  const auto sample = make_sample(chat_rule(128), tokenizer(), kChat, 0);
  ASSERT_TRUE(sample) << sample.error().what;
  Ids expected = ids(whole);
  const std::size_t length = expected.size();
  expected.resize(128, 0);
  EXPECT_EQ(sample->tokens, expected);
  EXPECT_EQ(counted(*sample), ids("yes<|im_end|>ok<|im_end|>"));
  const auto all = make_sample(chat_rule(128, "all"), tokenizer(), kChat, 0);
  EXPECT_EQ(all->tokens, expected);
  EXPECT_EQ(all->counted, length - 1);
}

TEST(ChatSample, ACutConversationCountsWhatIsLeftOfItsAnswers) {
  const auto first = ids("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\ny").size();
  const auto sample =
      make_sample(chat_rule(static_cast<std::uint32_t>(first)), tokenizer(), kChat, 0);
  EXPECT_EQ(counted(*sample), ids("y"));
}

TEST(ChatSample, AConversationWithoutAnswersCountsNothing) {
  const auto sample = make_sample(chat_rule(64), tokenizer(),
                                  R"({"messages":[{"role":"user","content":"hi"}]})", 0);
  EXPECT_EQ(sample->counted, 0U);
}

TEST(ChatSample, RowsOfAnotherFormAreRefusedByName) {
  const std::pair<const char*, const char*> lies[] = {
      {R"({"text":"a"})", "row 4: member \"messages\" is missing"},
      {R"({"messages":"a"})", "row 4: member \"messages\" is no list"},
      {R"({"messages":[]})", "row 4: 0 messages"},
      {R"({"messages":["a"]})", "row 4: message 0: is no object"},
      {R"({"messages":[{"role":"user"}]})", "row 4: message 0: member \"content\" is missing"},
      {R"({"messages":[{"role":"tool","content":"a"}]})", "row 4: message 0 has the role \"tool\""},
      {R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"","tool_calls":[]}]})",
       "row 4: message 1: has a member \"tool_calls\""},
  };
  for (const auto& [row, says] : lies) {
    const auto made = make_sample(chat_rule(64), tokenizer(), row, 4);
    ASSERT_FALSE(made) << row;
    EXPECT_EQ(made.error().what.rfind(says, 0), 0U) << made.error().what;
  }
}

TextRule tokens_rule(const char* labels, std::uint32_t sequence = 6) {
  return {"tokens", "", "", "", -1, -1, 9, sequence, labels};
}

TEST(TokenSample, LabelsMaskWhatDoesNotCount) {
  const char* row = R"({"input_ids":[5,6,7,8],"labels":[-100,6,-100,8],"attention_mask":[1]})";
  const auto sample = make_sample(tokens_rule("completion"), tokenizer(), row, 0);
  ASSERT_TRUE(sample) << sample.error().what;
  EXPECT_EQ(sample->tokens, (Ids{5, 6, 7, 8, 9, 9}));
  EXPECT_EQ(sample->targets, (Ids{6, kNone, 8, kNone, kNone, kNone}));
  const auto all = make_sample(tokens_rule("all"), tokenizer(), R"({"input_ids":[5,6]})", 0);
  EXPECT_EQ(all->targets, (Ids{6, kNone, kNone, kNone, kNone, kNone}));
}

TEST(TokenSample, WhatIsNoTokenOrNoLabelIsRefused) {
  for (const char* row :
       {R"({"input_ids":[5,29],"labels":[5,29]})", R"({"input_ids":[-1],"labels":[-1]})",
        R"({"input_ids":[5.5],"labels":[5]})", R"({"input_ids":["a"],"labels":[5]})",
        R"({"input_ids":[5,6],"labels":[5]})", R"({"input_ids":[5,6],"labels":[5,7]})",
        R"({"input_ids":[5,6],"labels":[5,-1]})", R"({"input_ids":[5,6]})",
        R"({"labels":[5,6]})"}) {
    EXPECT_FALSE(make_sample(tokens_rule("completion"), tokenizer(), row, 0)) << row;
  }
}

Dataset rows(const std::string& text) { return *Dataset::parse(text); }

/// Documents of 2, 3, 0, 1, 7 (cut to 6) and 6 tokens in samples of 6.
const char* const kDocuments =
    "{\"input_ids\":[1,2]}\n{\"input_ids\":[3,4,5]}\n{\"input_ids\":[]}\n{\"input_ids\":[6]}\n"
    "{\"input_ids\":[7,7,7,7,7,7,7]}\n{\"input_ids\":[8,8,8,8,8,8]}\n{\"input_ids\":[9,10]}\n";

TextRule packing_rule() {
  TextRule rule = tokens_rule("all");
  rule.packing = true;
  return rule;
}

TEST(PackedSample, RowsGoTogetherInOrderAsLongAsTheyFit) {
  const Dataset data = rows(kDocuments);
  const TextRule rule = packing_rule();
  EXPECT_EQ(*pack(rule, tokenizer(), data), (std::vector<std::uint64_t>{0, 4, 5, 6}));
  const Sample first = *make_packed_sample(rule, tokenizer(), data, 0, 4);
  EXPECT_EQ(first.tokens, (Ids{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(first.targets, (Ids{2, kNone, 4, 5, kNone, kNone})) << "none across documents";
  EXPECT_EQ(first.document_ends, (std::vector<std::uint32_t>{2, 5, 6}));
  EXPECT_EQ(first.counted, 3U);
  const Sample last = *make_packed_sample(rule, tokenizer(), data, 6, 7);
  EXPECT_EQ(last.tokens, (Ids{9, 10, 9, 9, 9, 9}));
  EXPECT_EQ(last.document_ends, std::vector<std::uint32_t>{6}) << "with its padding";
}

TEST(PackedSample, OneRowAloneIsTheSampleWithoutPacking) {
  const Dataset data = rows(kDocuments);
  for (const std::uint64_t row : {0U, 4U, 5U}) {
    const Sample packed = *make_packed_sample(packing_rule(), tokenizer(), data, row, row + 1);
    const Sample plain = *make_sample(tokens_rule("all"), tokenizer(), data.row(row), row);
    EXPECT_EQ(packed.tokens, plain.tokens);
    EXPECT_EQ(packed.targets, plain.targets);
    EXPECT_EQ(packed.counted, plain.counted);
  }
}

TEST(PackedSample, ARowThatIsNoSampleIsNamed) {
  const auto packed = pack(packing_rule(), tokenizer(), rows("{\"input_ids\":[1]}\n{}\n"));
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().what.rfind("row 1: ", 0), 0U) << packed.error().what;
}

}  // namespace
}  // namespace aftune::text
