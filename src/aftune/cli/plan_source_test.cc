// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/plan_source.h"

#include <gtest/gtest.h>

#include "aftune/codec/dsse.h"
#include "aftune/trace/tiny_job_testing.h"

namespace aftune::cli {
namespace {

using trace::testing::must;
using trace::testing::put;
using trace::testing::TempFolder;

constexpr std::string_view kPlannedJob = R"(model: model
text: {sequence: 6}
batch: {samples: 3}
steps: 5
optimizer: {kind: adamw}
grid: {layers_per_block: 2, steps_per_block: 2, state_interval: 3}
audit: {blocks: 2, strategy: stratified}
keys: of no interest here
)";

class PlanSourceTest : public ::testing::Test {
 protected:
  PlanSourceTest() {
    put(folder_ / "tokenizer.json", trace::testing::kTinyTokenizer);
    must(model::make_random_model(trace::testing::tiny_architecture(), 1,
                                  folder_ / "tokenizer.json", folder_ / "model"));
  }
  Result<PlanSource> job(std::string from = "", const std::string& to = "") {
    std::string text(kPlannedJob);
    if (!from.empty()) text.replace(text.find(from), from.size(), to);
    put(folder_ / "job.yaml", text);
    return read_plan_source(folder_ / "job.yaml");
  }
  TempFolder folder_;
};

TEST_F(PlanSourceTest, AContractNeedsNoSignature) {
  const trace::Contract contract = trace::testing::tiny_contract();
  const codec::Dsse envelope{std::string(trace::kContractPayloadType), contract.payload(), {}};
  put(folder_ / "contract.json", codec::encode_dsse(envelope));
  const PlanSource source = must(read_plan_source(folder_ / "contract.json"));
  EXPECT_EQ(source.grid.block_count(), contract.block_count());
  EXPECT_EQ(source.policy_blocks, contract.audit.blocks);
}

TEST_F(PlanSourceTest, AJobIsReadWithoutWhatAPlanDoesNotNeed) {
  const PlanSource source = must(job());
  const audit::PlanGrid& grid = source.grid;
  EXPECT_EQ(grid.layers, trace::testing::tiny_architecture().layer_count);
  EXPECT_EQ(grid.step_block_count(), 3U);
  EXPECT_EQ(grid.state_interval, 3U);
  EXPECT_EQ(grid.samples, 3U);
  EXPECT_EQ(grid.state_bytes, 12U) << "a parameter and two moments";
  EXPECT_EQ(grid.edge_bytes, 3U * 6 * trace::testing::tiny_architecture().hidden_size * 4);
  EXPECT_EQ(must(job("state_interval: 3", "state_interval: 3, boundary: BF16")).grid.edge_bytes,
            grid.edge_bytes / 2);
  EXPECT_EQ(grid.strategy, trace::Strategy::kStratified);
  EXPECT_EQ(source.policy_blocks, 2U);
  EXPECT_EQ(must(job("{kind: adamw}", "{kind: sgd}")).grid.state_bytes, 4U);
  EXPECT_EQ(must(job("{kind: adamw}", "{kind: sgd, momentum: 0.9}")).grid.state_bytes, 8U);
}

TEST_F(PlanSourceTest, AJobAndTheContractOfItGiveTheSamePlan) {
  const trace::Contract contract = trace::testing::tiny_contract();
  const audit::PlanGrid of_contract = audit::plan_grid(contract);
  const audit::PlanGrid of_job = must(job()).grid;
  ASSERT_EQ(of_job.layer_block_count(), of_contract.layer_block_count());
  for (std::size_t i = 0; i < of_job.layer_blocks.size(); ++i) {
    EXPECT_EQ(of_job.layer_blocks[i].parameters, of_contract.layer_blocks[i].parameters);
    EXPECT_EQ(of_job.layer_blocks[i].inner_edges, of_contract.layer_blocks[i].inner_edges);
  }
}

TEST_F(PlanSourceTest, ErrorsNameFileLineAndKey) {
  struct Case {
    const char *from, *to, *names;
  };
  const Case cases[] = {
      {"model: model", "model: nowhere", "job.yaml:1: model"},
      {"steps: 5", "steps: 0", "job.yaml:4: steps"},
      {"stratified", "lazy", "job.yaml:7: audit.strategy: \"lazy\" is no strategy"},
      {"blocks: 2", "blocks: 700", "audit.blocks"},
      {"samples: 3", "samples: some", "batch.samples"},
      {"{sequence: 6}", "{}", "text.sequence"},
  };
  for (const Case& c : cases) {
    const auto source = job(c.from, c.to);
    ASSERT_FALSE(source) << c.from;
    EXPECT_NE(source.error().what.find(c.names), std::string::npos) << source.error().what;
  }
  EXPECT_EQ(read_plan_source(folder_ / "none").error().code, Code::kNotFound);
  put(folder_ / "contract.json", "{\"payload\":\"\"}");
  EXPECT_EQ(read_plan_source(folder_ / "contract.json").error().code, Code::kInvalidInput);
}

TEST_F(PlanSourceTest, SecondsAreTheMedianOfTheRuns) {
  const auto line = [](const char* seconds) {
    return std::string("{\"seconds\":\"") + seconds + "\",\"step\":0}\n";
  };
  put(folder_ / "metrics.jsonl", line("9.5") + line("2.000") + line("2.125"));
  EXPECT_EQ(must(seconds_per_step(folder_.path())), 2.125);
  for (const std::string& bad : {std::string(), std::string("{}\n"), std::string("x\n"),
                                 line("nan"), line("-1"), line("")}) {
    put(folder_ / "metrics.jsonl", bad);
    EXPECT_FALSE(seconds_per_step(folder_.path())) << bad;
  }
  EXPECT_EQ(seconds_per_step(folder_ / "none").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace aftune::cli
