// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/held_out.h"

#include <gtest/gtest.h>

#include "aftune/trace/finished_run_testing.h"
#include "aftune/trace/metrics.h"

namespace aftune::trace {
namespace {

using testing::finished_job;
using testing::must;
using testing::put;
using testing::test_engine;
using testing::TinyJob;

constexpr std::string_view kHeldOut =
    "{\"prompt\":\"a\",\"completion\":\"bf\"}\n"
    "{\"prompt\":\"c\",\"completion\":\"d\"}\n"
    "{\"prompt\":\"e\",\"completion\":\"a\"}\n";

std::vector<MetricLine> train_with(const TinyJob& job, std::uint64_t interval) {
  put(job.folder / "held-out.jsonl", kHeldOut);
  TrainJob watched = job.job(job.run());
  watched.held_out = HeldOutJob{job.folder / "held-out.jsonl", interval};
  EXPECT_EQ(must(train_run(watched, test_engine())).end, RunEnd::kClosed);
  return must(read_metrics(job.run().metrics()));
}

TEST(HeldOut, IsEvaluatedAtIntervalsAndAfterTheLastStepAndChangesNoBitOfTheRun) {
  const TinyJob job;
  const auto lines = train_with(job, 2);
  ASSERT_EQ(lines.size(), 5U);
  for (const MetricLine& line : lines) {
    EXPECT_EQ(line.eval_loss.has_value(), line.step == 1 || line.step == 3 || line.step == 4);
  }
  EXPECT_NE(lines[1].eval_loss, lines[4].eval_loss);
  EXPECT_EQ(job.log(job.run()).checkpoint_note,
            finished_job().log(finished_job().run()).checkpoint_note);
}

TEST(HeldOut, TheLastLossIsThatOfTheDeliveredModel) {
  const TinyJob job;
  const auto lines = train_with(job, 0);
  EXPECT_FALSE(lines[3].eval_loss);
  SideInputs inputs = job.inputs();
  const HeldOut held_out =
      must(HeldOut::open(job.contract(), job.folder / "held-out.jsonl", inputs.tokenizer()));
  const auto partition = job.contract().partition();
  const auto folder = must(model::open_model_folder(job.run().delivered()));
  std::vector<train::BlockState> states(partition.block_count);
  for (std::uint32_t block = 0; block < partition.block_count; ++block) {
    for (const TensorSpec& spec : job.contract().trained(block)) {
      states[block].parameters.emplace(spec.name,
                                       Tensor::copy_of(*folder.parameters.find(spec.name)));
    }
  }
  const auto got = must(held_out.evaluate(test_engine(), inputs.model(), partition, states));
  EXPECT_NEAR(got.loss, *lines[4].eval_loss, 1e-6);
  EXPECT_EQ(got.counted, 3U + 2 + 2);
}

TEST(HeldOut, RowsThatAreNoSamplesAreRefusedBeforeTheRunBegins) {
  const TinyJob job;
  const std::pair<const char*, const char*> lies[] = {
      {"{\"prompt\":\"a\",\"completion\":\"b\"}\n{}\n", "row 1: "},
      {"{\"prompt\":\"abcdef\",\"completion\":\"b\"}\n", "none of the 1 samples"}};
  for (const auto& [rows, says] : lies) {
    put(job.folder / "held-out.jsonl", rows);
    TrainJob watched = job.job(job.run());
    watched.held_out = HeldOutJob{job.folder / "held-out.jsonl", 0};
    const auto got = train_run(watched, test_engine());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::kInvalidInput);
    EXPECT_NE(got.error().what.find(says), std::string::npos) << got.error().what;
    EXPECT_FALSE(std::filesystem::exists(job.run().root));
  }
}

}  // namespace
}  // namespace aftune::trace
