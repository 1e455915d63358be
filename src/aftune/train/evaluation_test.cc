// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/evaluation.h"

#include <gtest/gtest.h>

#include "aftune/model/tiny_llama_testing.h"

namespace aftune::train {
namespace {

using model::testing::Embeddings;
using model::testing::TestEngine;

/// Rows of tokens for a vocabulary of 19, the second without one that counts.
constexpr const char* kEvaluatedRows =
    "{\"input_ids\":[1,2,3,4,5],\"labels\":[-100,2,3,-100,5]}\n"
    "{\"input_ids\":[6,7],\"labels\":[-100,-100]}\n"
    "{\"input_ids\":[0,1,2,3],\"labels\":[-100,-100,-100,3]}\n";

struct World {
  explicit World(const char* rows = kEvaluatedRows)
      : llama(model::testing::make_llama(model::testing::tiny_config(2, Embeddings::kTied))),
        parameters(model::testing::random_parameters(llama.config, 11)),
        tokenizer(*text::Tokenizer::parse(
            R"({"added_tokens":[],"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},)"
            R"("decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"c":2,)"
            R"("d":3,"e":4,"f":5,"g":6,"h":7},"merges":[]}})")),
        data(*text::Dataset::parse(rows)) {}

  [[nodiscard]] Result<Evaluation> evaluation(std::uint64_t at_a_time,
                                              std::uint32_t layers_per_block = 9) {
    const text::TextRule rule{"tokens", "", "", "", -1, -1, 0, 6, "completion"};
    const BatchSource samples({at_a_time, at_a_time}, rule, {"none", false}, {}, data, tokenizer);
    const auto partition = model::make_partition(llama.config, layers_per_block);
    return evaluate(engine, llama, partition,
                    std::vector<model::ParameterView>(partition.block_count, parameters), samples);
  }

  TestEngine engine;
  model::Llama llama;
  TensorMap parameters;
  text::Tokenizer tokenizer;
  text::Dataset data;
};

TEST(Evaluation, IsTheMeanOverAllCountedTokens) {
  World w;
  const auto apart = w.evaluation(1);
  ASSERT_TRUE(apart) << apart.error().what;
  EXPECT_EQ(apart->counted, 4U);
  // The mean of a row's own mean, weighted by its count.
  const model::MicroBatch rows[] = {
      {1, 6, {1, 2, 3, 4, 5, 0}, {2, 3, -100, 5, -100, -100}, 3},
      {1, 6, {0, 1, 2, 3, 0, 0}, {-100, -100, 3, -100, -100, -100}, 1}};
  double sum = 0;
  for (const model::MicroBatch& row : rows) {
    const auto one = model::testing::model_gradients(w.engine, w.llama, 1, w.parameters, row);
    sum += static_cast<double>(one->loss) * static_cast<double>(row.counted);
  }
  EXPECT_EQ(apart->loss, sum / 4);
}

TEST(Evaluation, DependsOnNoGridAndHardlyOnTheNumberAtATime) {
  World w;
  const auto apart = w.evaluation(1);
  EXPECT_EQ(w.evaluation(1, 1)->loss, apart->loss);
  for (const std::uint64_t at_a_time : {2U, 3U, 9U}) {
    const auto got = w.evaluation(at_a_time);
    EXPECT_EQ(got->counted, 4U);
    EXPECT_NEAR(got->loss, apart->loss, 1e-6) << at_a_time;
  }
}

TEST(Evaluation, RowsThatAreNoneAndRowsThatCountNothingAreErrors) {
  World nothing("{\"input_ids\":[6,7],\"labels\":[-100,-100]}\n");
  EXPECT_EQ(nothing.evaluation(1).error().what, "no sample has a counted token");
  World bad("{\"input_ids\":[1,2],\"labels\":[1,2]}\n{}\n");
  EXPECT_EQ(bad.evaluation(2).error().what.rfind("row 1: ", 0), 0U);
}

}  // namespace
}  // namespace aftune::train
