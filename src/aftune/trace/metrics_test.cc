// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/metrics.h"

#include <gtest/gtest.h>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using testing::get;
using testing::must;

StepProgress step(std::uint64_t index) { return {index, 10, 1.5F, 0.01, 2.0, 18, 0.5, 0}; }

TEST(Metrics, WritesOneJsonLineAStep) {
  const testing::TempFolder folder;
  Metrics metrics = must(Metrics::open(folder / "m", 0));
  must(metrics.add(step(0)));
  must(metrics.add(step(1)));
  EXPECT_EQ(get(folder / "m"),
            R"({"gradient_norm":"2.000000","learning_rate":"1.000000e-02","loss":"1.500000",)"
            R"("seconds":"0.500","step":0,"tokens":18})"
            "\n"
            R"({"gradient_norm":"2.000000","learning_rate":"1.000000e-02","loss":"1.500000",)"
            R"("seconds":"0.500","step":1,"tokens":18})"
            "\n");
}

TEST(Metrics, LinesReadBack) {
  const testing::TempFolder folder;
  Metrics metrics = must(Metrics::open(folder / "m", 0));
  must(metrics.add(step(0)));
  StepProgress evaluated = step(1);
  evaluated.eval_loss = 1.25;
  must(metrics.add(evaluated));
  testing::put(folder / "m", get(folder / "m") + "{\"step\":2,");
  const auto lines = must(read_metrics(folder / "m"));
  ASSERT_EQ(lines.size(), 2U) << "the torn one is left out";
  EXPECT_EQ(lines[1].step, 1U);
  EXPECT_EQ(lines[1].tokens, 18U);
  EXPECT_EQ(lines[1].loss, 1.5);
  EXPECT_EQ(lines[1].learning_rate, 0.01);
  EXPECT_EQ(lines[1].norm, 2);
  EXPECT_EQ(lines[1].seconds, 0.5);
  EXPECT_FALSE(lines[0].eval_loss);
  EXPECT_EQ(lines[1].eval_loss, 1.25);
}

TEST(Metrics, LinesThatAreNoneAreNamed) {
  const testing::TempFolder folder;
  Metrics metrics = must(Metrics::open(folder / "m", 0));
  must(metrics.add(step(0)));
  const std::string whole = get(folder / "m");
  const std::pair<std::string, std::string> lies[] = {{"\"1.500000\"", "1.5"},
                                                      {"\"1.500000\"", "\"nan\""},
                                                      {"\"1.500000\"", "\"1.5 \""},
                                                      {"\"step\":0", "\"step\":-1"},
                                                      {"\"tokens\":18", "\"token\":18"},
                                                      {"\"step\":0", "\"eval_loss\":1,\"step\":0"},
                                                      {"{", ""}};
  for (const auto& [from, to] : lies) {
    std::string lie = whole;
    testing::put(folder / "m", whole + lie.replace(lie.find(from), from.size(), to));
    const auto got = read_metrics(folder / "m");
    ASSERT_FALSE(got) << to;
    EXPECT_NE(got.error().what.find("line 2 has no"), std::string::npos) << got.error().what;
  }
  EXPECT_EQ(read_metrics(folder / "none").error().code, Code::kNotFound);
}

TEST(Metrics, ARepeatedStepReplacesItsLine) {
  const testing::TempFolder folder;
  {
    Metrics metrics = must(Metrics::open(folder / "m", 0));
    for (std::uint64_t i = 0; i < 5; ++i) must(metrics.add(step(i)));
  }
  const std::string before = get(folder / "m");
  Metrics again = must(Metrics::open(folder / "m", 2));
  for (std::uint64_t i = 2; i < 5; ++i) must(again.add(step(i)));
  EXPECT_EQ(get(folder / "m"), before);
}

TEST(Metrics, ATornLineIsDropped) {
  const testing::TempFolder folder;
  {
    Metrics metrics = must(Metrics::open(folder / "m", 0));
    must(metrics.add(step(0)));
  }
  const std::string whole = get(folder / "m");
  for (const char* torn :
       {"{\"step\":1,\"lo", "not json\n", "{\"step\":-1}\n", "{\"step\":\"0\"}\n"}) {
    testing::put(folder / "m", whole + torn);
    must(Metrics::open(folder / "m", 1));
    EXPECT_EQ(get(folder / "m"), whole) << torn;
  }
}

TEST(Metrics, AFolderThatIsNotThereIsSaid) {
  const testing::TempFolder folder;
  const auto metrics = Metrics::open(folder / "none/m", 0);
  ASSERT_FALSE(metrics);
  EXPECT_NE(metrics.error().what.find("none/m"), std::string::npos);
}

}  // namespace
}  // namespace aftune::trace
