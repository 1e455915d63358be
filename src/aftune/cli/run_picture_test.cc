// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/run_picture.h"

#include <gtest/gtest.h>

#include "aftune/cli/duration.h"
#include "aftune/trace/timeline.h"
#include "aftune/trace/tiny_job_testing.h"

namespace aftune::cli {
namespace {

TEST(LossCurve, FallsFromTheLargestToTheSmallest) {
  const double losses[] = {3, 2, 1, 1};
  EXPECT_EQ(loss_curve(losses, 72, 3),
            "    3.0000 |*\n"
            "           | *\n"
            "    1.0000 |  **\n"
            "           +----\n");
}

TEST(LossCurve, ManyStepsShareColumns) {
  std::vector<double> losses(1000, 1.0);
  for (std::size_t i = 0; i < 500; ++i) losses[i] = 2;
  EXPECT_EQ(loss_curve(losses, 4, 2),
            "    2.0000 |**\n"
            "    1.0000 |  **\n"
            "           +----\n");
}

TEST(LossCurve, OneLossAndEqualLossesStandAtTheFoot) {
  const double one[] = {0.5};
  EXPECT_EQ(loss_curve(one, 72, 2), "    0.5000 |\n    0.5000 |*\n           +-\n");
}

TEST(GridPicture, ShowsWhatIsRecordedStoredAndToCome) {
  trace::Contract contract = trace::testing::tiny_contract();  // 2 blocks, 5 steps, 3 step blocks
  const trace::Timeline timeline(contract);
  const std::string whole = grid_picture(contract, timeline.entry_count());
  EXPECT_NE(whole.find("2 layer blocks x 3 step blocks of 2 steps"), std::string::npos) << whole;
  EXPECT_NE(
      whole.find("   block 1 |=SS|  layer 2\n   block 0 |=SS|  embedding, layers 0 to 1, head"),
      std::string::npos)
      << whole;
  const std::string half = grid_picture(contract, timeline.position_of_step(1) + 1);
  EXPECT_NE(half.find("block 0 |=..|"), std::string::npos) << half;
  const std::string begun = grid_picture(contract, timeline.position_of_step(1));
  EXPECT_NE(begun.find("block 0 |...|"), std::string::npos) << begun;
}

TEST(GridPicture, ManyStepBlocksShareColumns) {
  trace::Contract contract = trace::testing::tiny_contract();
  contract.steps = 100;
  contract.grid.steps_per_block = 1;
  contract.grid.state_interval = 50;
  const trace::Timeline timeline(contract);
  const std::string picture = grid_picture(contract, timeline.position_of_step(74) + 1, 4);
  EXPECT_NE(picture.find("block 0 |==S.|"), std::string::npos) << picture;
}

TEST(Duration, IsSaidInTheLargestUnits) {
  EXPECT_EQ(duration(0.4), "0 s");
  EXPECT_EQ(duration(59.4), "59 s");
  EXPECT_EQ(duration(185), "3 min 05 s");
  EXPECT_EQ(duration(7800), "2 h 10 min");
}

}  // namespace
}  // namespace aftune::cli
