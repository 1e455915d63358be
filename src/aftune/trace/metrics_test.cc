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
