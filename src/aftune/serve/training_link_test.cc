// SPDX-License-Identifier: Apache-2.0
#include "aftune/serve/training_link.h"

#include <gtest/gtest.h>

#include "aftune/trace/finished_run_testing.h"

namespace aftune::serve {
namespace {

TEST(TrainingLink, StatesTheCloseOfAFinishedRun) {
  const trace::testing::RunCopy copy;
  const auto link = link_to_training(copy.job.contract(), copy.run);
  ASSERT_TRUE(link) << link.error().what;
  receipt::Statement statement;
  statement.training = link->trained;
  statement.model_salted = link->root_salt.has_value();
  statement.model_root =
      trace::testing::must(trace::decode_close_list(link->trained.close)).model_root;
  const Status held = receipt::check_training(statement, copy.job.contract());
  EXPECT_TRUE(held) << held.error().what;
  statement.model_root.bytes[0] ^= 1;
  EXPECT_FALSE(receipt::check_training(statement, copy.job.contract()));
}

TEST(TrainingLink, ARunThatIsNotClosedHasNone) {
  trace::testing::RunCopy copy;
  copy.entries.pop_back();
  copy.write_log();
  const auto link = link_to_training(copy.job.contract(), copy.run);
  ASSERT_FALSE(link);
  EXPECT_NE(link.error().what.find("entries"), std::string::npos) << link.error().what;
}

TEST(TrainingLink, ACloseThatIsNotThereIsAnError) {
  const trace::testing::RunCopy copy;
  std::filesystem::remove(copy.list_of(copy.timeline().position_of_close()));
  EXPECT_FALSE(link_to_training(copy.job.contract(), copy.run));
}

}  // namespace
}  // namespace aftune::serve
