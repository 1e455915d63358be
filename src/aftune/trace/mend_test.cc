// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/mend.h"

#include <gtest/gtest.h>

#include "aftune/trace/finished_run_testing.h"

namespace aftune::trace {
namespace {

using testing::expect_whole;
using testing::finished_root;
using testing::must;
using testing::RunCopy;
using testing::test_engine;
using testing::TinyJob;

/// A copy of the finished run whose log ends behind step 4, in the last of three step blocks.
class Interrupted : public RunCopy {
 public:
  Interrupted() {
    entries.resize(timeline().position_of_step(4) + 1);
    write_log();
  }
  [[nodiscard]] Path edge(std::uint64_t step) const {
    return object(must(openings().step_list(step)).edges[0]);
  }
  [[nodiscard]] std::uint64_t mended() const {
    return must(mend_evidence(job.contract(), entries, run, nullptr));
  }
  /// Goes on, and gives the first step that was made again.
  [[nodiscard]] std::uint64_t resumed() const {
    const TrainReport report = must(train_run(job.job(run, Existing::kResume), test_engine()));
    EXPECT_EQ(report.end, RunEnd::kClosed);
    EXPECT_EQ(job.log(run).checkpoint.root, finished_root());
    expect_whole(job, run);
    return report.resumed_from;
  }
};

TEST(Mend, LeavesAWholeRunAsItIs) {
  const Interrupted copy;
  const auto before = testing::files_of(copy.run.root);
  EXPECT_EQ(copy.mended(), copy.entries.size());
  EXPECT_EQ(testing::files_of(copy.run.root), before);
}

TEST(Mend, RemovesAnAlteredObjectOfTheRightSize) {
  const Interrupted copy;
  const Path altered = copy.edge(1);
  testing::flip_bit(altered, std::filesystem::file_size(altered) - 1);
  EXPECT_EQ(copy.mended(), copy.timeline().position_of_step(1));
  EXPECT_FALSE(std::filesystem::exists(altered));
  EXPECT_EQ(copy.mended(), copy.timeline().position_of_step(1)) << "and again";
}

TEST(Mend, CountsTheEntriesBeforeALostList) {
  const Interrupted copy;
  std::filesystem::remove(copy.list_of(5));
  EXPECT_EQ(copy.mended(), 5U);
}

TEST(Mend, AResumedRunMakesAgainWhatWasAlteredBehindIt) {
  const Interrupted copy;
  const Path altered = copy.edge(4);
  testing::flip_bit(altered, std::filesystem::file_size(altered) - 1);
  EXPECT_EQ(copy.resumed(), 4U);
}

TEST(Mend, AResumedRunStartsBeforeWhatIsMissing) {
  const Interrupted late, early, list;
  std::filesystem::remove(late.edge(2));
  EXPECT_EQ(late.resumed(), 2U);
  std::filesystem::remove(early.edge(0));
  EXPECT_EQ(early.resumed(), 0U);
  std::filesystem::remove(list.list_of(1));
  EXPECT_EQ(list.resumed(), 0U) << "of a first state";
}

TEST(Mend, AResumedRunMakesAnEmptyStoreAgain) {
  const Interrupted copy;
  std::filesystem::remove_all(copy.run.store());
  EXPECT_EQ(copy.resumed(), 0U);
}

/// Trains a new run that loses an object when a step has ended.
Status train_and_lose(const TinyJob& job, std::uint64_t after_step) {
  TrainJob losing = job.job(job.run());
  losing.on_step = [&](const StepProgress& progress) {
    if (progress.step != after_step) return;
    const auto log = job.log(job.run());
    const Openings openings = must(Openings::open(job.run(), job.contract(), log.entries));
    const Store store = must(Store::open(job.run().store(), Store::Open::kExisting));
    std::filesystem::remove(store.path_of(must(openings.step_list(0)).edges[0]));
  };
  const auto done = train_run(losing, test_engine());
  return done ? ok() : Status(done.error());
}

TEST(Mend, ARunThatLostEvidenceIsNotClosed) {
  const TinyJob job;
  const Status done = train_and_lose(job, 4);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_NE(done.error().what.find("evidence of entry 3 of 14 is missing in"), std::string::npos)
      << done.error().what;
  EXPECT_EQ(job.log(job.run()).entries.size(), 14U);
  ASSERT_EQ(must(job.train(Existing::kResume)).end, RunEnd::kClosed);
  EXPECT_EQ(job.log(job.run()).checkpoint.root, finished_root());
  expect_whole(job, job.run());
}

}  // namespace
}  // namespace aftune::trace
