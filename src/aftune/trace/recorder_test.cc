// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/recorder.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "aftune/trace/inventory.h"
#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using testing::must;
using testing::TinyJob;

/// A prepared run folder with its base states and an open recorder.
class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() {
    must(prepare_run_folder(job_.signed_contract(), job_.run(), job_.model(), job_.data(),
                            Existing::kRefuse));
    states_ = must(load_base(job_.contract(), job_.model(), job_.inputs(), std::nullopt));
    recorder_ = must(Recorder::open(job_.contract(), job_.run(), job_.provider));
  }
  void record_first() {
    must(recorder_->record_contract());
    must(recorder_->record_states(0, states_));
    must(recorder_->drain());
  }
  /// Hands the recorder the edges of `step`, filled with `value`.
  Status edges(std::uint64_t step, float value) {
    for (const EdgePlace& place : edge_places(job_.contract(), step)) {
      Tensor tensor = Tensor::zeros(place.shape);
      tensor.f32()[0] = value;
      AFTUNE_TRY(recorder_->on_edge(place.id, std::make_shared<const Tensor>(std::move(tensor))));
    }
    return ok();
  }
  Status step(std::uint64_t step, float value) {
    AFTUNE_TRY(edges(step, value));
    train::StepOutcome outcome;
    outcome.losses = {value, value};
    for (const auto& spec : model::parameter_specs(job_.contract().architecture)) {
      outcome.squares[spec.name] = 1;
    }
    return recorder_->record_step(step, {0, 1, 2}, 5, outcome);
  }
  std::vector<std::string> logged() { return job_.log(job_.run()).entries; }

  const TinyJob job_;
  std::vector<train::BlockState> states_;
  std::unique_ptr<Recorder> recorder_;
};

TEST_F(RecorderTest, SignsAfterTheFirstStatesAndEachStepBlock) {
  record_first();
  EXPECT_EQ(logged().size(), 3U);
  must(step(0, 1));
  must(step(1, 2));
  must(recorder_->drain());
  EXPECT_EQ(logged().size(), 3U) << "steps alone are not signed";
  must(recorder_->record_states(1, states_));
  must(recorder_->drain());
  EXPECT_EQ(logged().size(), 7U);
}

TEST_F(RecorderTest, StatesOfUnstoredStepBlocksLeaveListsOnly) {
  record_first();
  const Store store = must(Store::open(job_.run().store(), Store::Open::kExisting));
  EXPECT_EQ(must(store.objects()).size(), 2U) << "the lists of two first states";
}

TEST_F(RecorderTest, EverythingThatTheLogNamesIsThere) {
  record_first();
  must(step(0, 1));
  must(step(1, 2));
  must(recorder_->record_states(1, states_));
  must(recorder_->drain());
  const auto inventory = must(take_inventory(job_.contract(), logged(), job_.run()));
  EXPECT_TRUE(inventory.unreadable.empty());
  EXPECT_TRUE(must(check_store(inventory, job_.run())).problems.empty());
}

TEST_F(RecorderTest, ARepeatedEntryIsComparedNotWritten) {
  record_first();
  must(step(0, 1));
  must(recorder_->drain());
  recorder_.reset();
  recorder_ = must(Recorder::open(job_.contract(), job_.run(), job_.provider));
  EXPECT_EQ(recorder_->found_entries().size(), 4U);
  record_first();
  must(step(0, 1));
  must(step(1, 2));
  must(recorder_->drain());
}

TEST_F(RecorderTest, ADifferentRepetitionIsAFaultThatEndsTheRecording) {
  record_first();
  must(step(0, 1));
  must(recorder_->drain());
  recorder_.reset();
  recorder_ = must(Recorder::open(job_.contract(), job_.run(), job_.provider));
  record_first();
  (void)step(0, 9);
  const Status drained = recorder_->drain();
  ASSERT_FALSE(drained);
  EXPECT_EQ(drained.error().code, Code::kCorrupt);
  EXPECT_NE(drained.error().what.find("entry 3 (step 0) was logged as"), std::string::npos);
  EXPECT_FALSE(step(1, 2)) << "nothing more is recorded";
  must(recorder_->record_abort(0, "fault", drained.error().what));
  const auto entries = logged();
  ASSERT_EQ(entries.size(), 5U);
  const AbortEntry abort = must(decode_abort(entries.back(), 4));
  EXPECT_EQ(abort.cause, "fault");
  EXPECT_EQ(abort.step, 0U);
}

TEST_F(RecorderTest, AnAbortBehindHalfAStepStandsInItsPlace) {
  record_first();
  must(edges(0, 1));
  must(recorder_->record_abort(0, "non-finite", "step 0: it overflowed"));
  const auto entries = logged();
  ASSERT_EQ(entries.size(), 4U);
  const AbortEntry abort = must(decode_abort(entries.back(), 3));
  const Openings openings = must(Openings::open(job_.run(), job_.contract(), entries));
  EXPECT_EQ(must(openings.abort_list(abort.list)).reason, "step 0: it overflowed");
}

TEST_F(RecorderTest, AnAbortOfAStepThatTheLogHasIsAFault) {
  record_first();
  must(step(0, 1));
  must(step(1, 2));
  must(recorder_->record_abort(0, "non-finite", "step 0: it overflowed"));
  const auto entries = logged();
  EXPECT_EQ(must(decode_abort(entries.back(), entries.size() - 1)).cause, "fault");
}

TEST_F(RecorderTest, AFullDiskStopsEverythingAndIsNotAnAbort) {
  record_first();
  std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit old {};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const struct rlimit small { 100, old.rlim_max };
  ::setrlimit(RLIMIT_FSIZE, &small);
  (void)step(0, 1);
  const Status drained = recorder_->drain();
  const Status later = step(1, 2);
  const Status abort = recorder_->record_abort(0, "fault", "x");
  ::setrlimit(RLIMIT_FSIZE, &old);
  ASSERT_FALSE(drained);
  EXPECT_EQ(drained.error().code, Code::kUnavailable);
  EXPECT_NE(drained.error().what.find("write"), std::string::npos) << drained.error().what;
  EXPECT_FALSE(later);
  EXPECT_FALSE(abort);
  EXPECT_EQ(logged().size(), 3U);
}

TEST_F(RecorderTest, ModelRootIsThatOfTheLastStates) {
  record_first();
  const SideInputs inputs = job_.inputs();
  const TensorSpec table{model::kInvFreqName, Dtype::kF32, inputs.model().inv_freq.shape()};
  EXPECT_EQ(must(recorder_->model_root(table, inputs.table_digest(), std::nullopt)),
            job_.contract().base_root);
}

TEST_F(RecorderTest, OneProcessAtATimeIsTheLocksBusiness) {
  const auto lock = must(FileLock::acquire(job_.run().lock()));
  const auto second = FileLock::acquire(job_.run().lock());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace aftune::trace
