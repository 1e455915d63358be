// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/batch_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace aftune::train {
namespace {

constexpr const char* kTokenizer = R"({
  "version": "1.0", "added_tokens": [], "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                    "use_regex": true},
  "post_processor": null,
  "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
              "use_regex": true},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false,
            "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4, "f": 5}, "merges": []}
})";

// Row i has i + 1 counted tokens: the completion and the end token.
constexpr const char* kRows = R"({"prompt":"a","completion":""})"
                              "\n"
                              R"({"prompt":"ab","completion":"c"})"
                              "\n"
                              R"({"prompt":"b","completion":"cd"})"
                              "\n"
                              R"({"prompt":"b","completion":"cda"})"
                              "\n"
                              R"({"prompt":"c","completion":"defa"})";

text::TextRule rule() {
  text::TextRule rule;
  rule.format = "prompt_completion";
  rule.eos_id = 5;
  rule.pad_id = 4;
  rule.sequence = 6;
  rule.labels = "completion";
  return rule;
}

struct Source {
  explicit Source(const BatchSpec& spec, const std::string& rows = kRows,
                  const text::OrderRule& order = {"none", true}, const Digest& seed = {})
      : tokenizer(*text::Tokenizer::parse(kTokenizer)),
        data(*text::Dataset::parse(rows)),
        batches(spec, rule(), order, seed, data, tokenizer) {}
  text::Tokenizer tokenizer;
  text::Dataset data;
  BatchSource batches;
};

TEST(BatchSource, CutsTheRowsOfAStepIntoMicroBatches) {
  Source source({5, 2});
  const auto got = source.batches.micro_batches(0);
  ASSERT_TRUE(got) << got.error().what;
  ASSERT_EQ(got->size(), 3U);
  EXPECT_EQ((*got)[0].rows, 2U);
  EXPECT_EQ((*got)[1].rows, 2U);
  EXPECT_EQ((*got)[2].rows, 1U);
  for (const auto& batch : *got) {
    EXPECT_EQ(batch.sequence, 6U);
    EXPECT_EQ(batch.tokens.size(), batch.rows * 6);
    EXPECT_EQ(batch.targets.size(), batch.rows * 6);
  }
  EXPECT_EQ((*got)[0].tokens, (std::vector<std::int32_t>{0, 5, 4, 4, 4, 4, 0, 1, 2, 5, 4, 4}));
  EXPECT_EQ((*got)[0].targets, (std::vector<std::int32_t>{5, -100, -100, -100, -100, -100,  //
                                                          -100, 2, 5, -100, -100, -100}));
}

TEST(BatchSource, EveryMicroBatchHasTheCountOfTheStep) {
  for (const std::uint64_t micro : {1ULL, 2ULL, 3ULL, 5ULL}) {
    Source source({5, micro});
    const auto got = source.batches.micro_batches(0);
    ASSERT_TRUE(got);
    for (const auto& batch : *got) EXPECT_EQ(batch.counted, 1U + 2 + 3 + 4 + 5) << micro;
  }
}

TEST(BatchSource, TheCutChangesNoTokenAndNoOrder) {
  std::vector<std::int32_t> whole;
  for (const std::uint64_t micro : {5ULL, 1ULL, 2ULL, 4ULL}) {
    Source source({5, micro});
    std::vector<std::int32_t> tokens;
    const auto got = source.batches.micro_batches(0);
    ASSERT_TRUE(got);
    for (const auto& batch : *got) {
      tokens.insert(tokens.end(), batch.tokens.begin(), batch.tokens.end());
    }
    if (whole.empty()) whole = tokens;
    EXPECT_EQ(tokens, whole) << micro;
  }
}

TEST(BatchSource, RowsAreThoseOfTheOrderRule) {
  const text::OrderRule rules[] = {
      {"none", true}, {"none", false}, {"sha256", true}, {"sha256", false}};
  for (const auto& order : rules) {
    Source source({2, 2}, kRows, order);
    text::SampleOrder expected(order, Digest{}, 5, 2);
    for (const std::uint64_t step : {0ULL, 1ULL, 2ULL, 7ULL, 1ULL}) {
      EXPECT_EQ(source.batches.rows(step), expected.rows_of(step)) << order.shuffle << step;
    }
  }
}

TEST(BatchSource, AStepIsTheSameWheneverItIsAskedFor) {
  Source source({2, 1}, kRows, {"sha256", false});
  const auto first = source.batches.micro_batches(3);
  (void)source.batches.micro_batches(9);
  const auto again = source.batches.micro_batches(3);
  ASSERT_TRUE(first && again);
  EXPECT_EQ((*first)[0].tokens, (*again)[0].tokens);
  EXPECT_EQ((*first)[1].targets, (*again)[1].targets);
}

TEST(BatchSource, AMalformedRowIsNamed) {
  Source source({2, 2}, "{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"prompt\":\"a\"}");
  const auto got = source.batches.micro_batches(0);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kInvalidInput);
  EXPECT_NE(got.error().what.find("row 1"), std::string::npos) << got.error().what;
}

TEST(BatchSource, AStepWithoutACountedTokenIsRefused) {
  // The prompts fill the samples, so the completions are cut off.
  Source source({1, 1},
                "{\"prompt\":\"aaaaaaa\",\"completion\":\"b\"}\n"
                "{\"prompt\":\"a\",\"completion\":\"b\"}");
  const auto none = source.batches.micro_batches(0);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kInvalidInput);
  EXPECT_EQ(none.error().what, "step 0: none of its 1 rows has a counted token");
  EXPECT_TRUE(source.batches.micro_batches(1));
  Source both({2, 1},
              "{\"prompt\":\"aaaaaaa\",\"completion\":\"b\"}\n"
              "{\"prompt\":\"a\",\"completion\":\"b\"}");
  const auto some = both.batches.micro_batches(0);
  ASSERT_TRUE(some) << "a row without a label does not spoil the step";
  EXPECT_EQ((*some)[0].counted, 2U);
}

TEST(BatchSource, CheckStepsAgreesWithTheStepsThemselves) {
  const std::string bad_row = std::string(kRows) + "\n{\"prompt\":1}";
  const std::string uncounted = R"({"prompt":"abcdefa","completion":"a"})";
  for (const std::string& rows : {std::string(kRows), bad_row, uncounted}) {
    for (const std::uint64_t batch : {1U, 2U}) {
      if (rows == uncounted && batch == 2) continue;
      for (std::uint64_t steps = 0; steps < 14; ++steps) {
        Source source({batch, 1}, rows);
        Status expected = ok();
        for (std::uint64_t step = 0; step < steps && expected; ++step) {
          const auto batches = source.batches.micro_batches(step);
          if (!batches) expected = batches.error();
        }
        const Status checked = Source({batch, 1}, rows).batches.check_steps(steps);
        ASSERT_EQ(checked.has_value(), expected.has_value()) << steps;
        EXPECT_EQ(checked ? "" : checked.error().what, expected ? "" : expected.error().what);
      }
    }
  }
}

TEST(BatchSource, PackedSamplesCarryWhereTheirDocumentsEnd) {
  // Lists of 2, 4, 4, 5 and 6 tokens in samples of 6: the first two go together.
  const Source unpacked({1, 1});
  text::TextRule packing = rule();
  packing.packing = true;
  const auto first_rows = *text::pack(packing, unpacked.tokenizer, unpacked.data);
  EXPECT_EQ(first_rows, (std::vector<std::uint64_t>{0, 2, 3, 4}));
  BatchSource batches({4, 2}, packing, {"none", true}, {}, unpacked.data, unpacked.tokenizer,
                      first_rows);
  EXPECT_EQ(batches.rows(0), (std::vector<std::uint64_t>{0, 1, 2, 3}));
  const auto got = batches.micro_batches(0);
  ASSERT_TRUE(got) << got.error().what;
  ASSERT_EQ(got->size(), 2U);
  EXPECT_EQ((*got)[0].tokens, (std::vector<std::int32_t>{0, 5, 0, 1, 2, 5, 1, 2, 3, 5, 4, 4}));
  EXPECT_EQ((*got)[0].document_ends, (std::vector<std::size_t>{2, 6, 12}));
  EXPECT_EQ((*got)[1].document_ends, (std::vector<std::size_t>{6, 12}));
  EXPECT_EQ((*got)[0].counted, 1U + 2 + 3 + 4 + 5);
  EXPECT_TRUE(batches.check_steps(3));
}

}  // namespace
}  // namespace aftune::train
