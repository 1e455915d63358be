// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/abort_check.h"

#include <gtest/gtest.h>

#include "aftune/audit/auditor.h"
#include "aftune/trace/finished_run_testing.h"

namespace aftune::audit {
namespace {

using trace::testing::must;
using trace::testing::RunCopy;
using trace::testing::test_engine;
using trace::testing::TinyJob;

Verdict audit(const AuditRequest& request) { return must(audit_run(request, test_engine())); }

AuditRequest all_of(const RunCopy& copy) {
  return {copy.job.contract(), copy.run, {}, true, {}, 0, {}, {}, 0, {}};
}

bool mentions(const std::vector<std::string>& texts, const std::string& part) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

/// A job whose first update leaves the finite numbers.
TinyJob::Change overflowing() {
  return [](trace::Contract& c) {
    c.training.schedule = {train::ScheduleKind::kConstant, 0x1p120, 0, 0};
  };
}

AuditRequest all_of(const TinyJob& job) {
  return {job.contract(), job.run(), {}, true, {}, 0, {}, {}, 0, {}};
}

TEST(AbortCheck, AnAbortThatRepeatsIsInconclusiveAndProven) {
  const TinyJob job(overflowing());
  ASSERT_EQ(must(job.train()).end, trace::RunEnd::kAborted);
  const Verdict verdict = audit(all_of(job));
  EXPECT_EQ(verdict.outcome, Outcome::kInconclusive) << verdict_text(verdict);
  EXPECT_TRUE(verdict.aborted);
  EXPECT_TRUE(verdict.abort_proven);
  EXPECT_TRUE(mentions(verdict.unchecked, "aborted, proven")) << verdict_text(verdict);
}

/// Ends the finished run's log at `position` with an abort.
Verdict with_abort(std::uint64_t position, trace::AbortEntry abort, const std::string& reason,
                   std::uint64_t step_of_list) {
  RunCopy copy;
  abort.list =
      TinyJob::put_object(copy.run, trace::encode_list(trace::AbortList{
                                        trace::testing::digest_of("salt"), step_of_list, reason}));
  copy.entries.resize(position);
  copy.entries.push_back(trace::encode_abort(position, abort));
  copy.write_log();
  return audit(all_of(copy));
}

TEST(AbortCheck, AnAbortOfAStepThatEndsWellIsRejected) {
  const trace::Timeline timeline(trace::testing::finished_job().contract());
  for (std::uint64_t step = 0; step < 5; ++step) {
    const Verdict verdict = with_abort(timeline.position_of_step(step), {step, "non-finite", {}},
                                       "step: overflow", step);
    EXPECT_EQ(verdict.outcome, Outcome::kReject);
    EXPECT_EQ(verdict.findings.at(0).check, Check::kAbort);
    EXPECT_NE(verdict.findings[0].message.find("the step ends well"), std::string::npos);
    EXPECT_FALSE(verdict.abort_proven);
  }
}

TEST(AbortCheck, AnAbortAtAnotherPlaceThanItsStepIsRejected) {
  const trace::Timeline timeline(trace::testing::finished_job().contract());
  const std::uint64_t at = timeline.position_of_step(1);
  for (const auto& verdict :
       {with_abort(at, {0, "non-finite", {}}, "x", 0),
        with_abort(at, {2, "non-finite", {}}, "x", 2),
        with_abort(at, {1, "non-finite", {}}, "x", 3), with_abort(at, {99, "fault", {}}, "x", 99),
        with_abort(at, {1, "fault", {}}, "x", 2)}) {
    EXPECT_EQ(verdict.outcome, Outcome::kReject);
    EXPECT_EQ(verdict.findings.at(0).check, Check::kAbort);
  }
}

TEST(AbortCheck, AnAbortForAnotherReasonThanTheReplaysIsRejected) {
  const TinyJob job(overflowing());
  must(job.train());
  auto entries = job.log(job.run()).entries;
  const std::uint64_t position = entries.size() - 1;
  trace::AbortEntry abort = must(trace::decode_abort(entries.back(), position));
  abort.list = TinyJob::put_object(
      job.run(), trace::encode_list(trace::AbortList{trace::testing::digest_of("salt"), abort.step,
                                                     "step 0: cosmic rays"}));
  entries.back() = trace::encode_abort(position, abort);
  job.forge_log(job.run(), entries);
  const Verdict verdict = audit(all_of(job));
  EXPECT_EQ(verdict.outcome, Outcome::kReject);
  EXPECT_NE(verdict.findings.at(0).message.find("cosmic rays"), std::string::npos);
}

/// The states from which the replay of an abort goes on are the committed ones.
TEST(AbortCheck, AnAbortAfterAStateThatDoesNotFollowIsRejected) {
  const TinyJob job([](trace::Contract& c) {
    overflowing()(c);
    c.grid.steps_per_block = 1;
  });
  must(job.train());
  auto entries = job.log(job.run()).entries;
  const trace::AbortEntry abort = must(trace::decode_abort(entries.back(), entries.size() - 1));
  ASSERT_GE(abort.step, 1U);
  EXPECT_TRUE(audit(all_of(job)).abort_proven);
  const trace::Timeline timeline(job.contract());
  const std::uint64_t position = timeline.position_of_state(0, 1);
  trace::StateList list =
      must(must(trace::Openings::open(job.run(), job.contract(), entries)).state_list(0, 1));
  list.digests.back() = trace::testing::digest_of("another moment");
  entries[position] = trace::encode_entry(
      position, timeline.at(position),
      TinyJob::put_object(job.run(), trace::encode_list(job.contract(), 0, 1, list)));
  job.forge_log(job.run(), entries);
  const Verdict verdict = audit(all_of(job));
  EXPECT_EQ(verdict.outcome, Outcome::kReject) << verdict_text(verdict);
  EXPECT_EQ(verdict.findings.at(0).check, Check::kState);
  EXPECT_FALSE(verdict.abort_proven);
}

TEST(AbortCheck, AnAbortWithoutItsListIsRejected) {
  const trace::Timeline timeline(trace::testing::finished_job().contract());
  RunCopy copy;
  const std::uint64_t position = timeline.position_of_step(1);
  copy.entries.resize(position);
  copy.entries.push_back(
      trace::encode_abort(position, {1, "non-finite", trace::testing::digest_of("no list")}));
  copy.write_log();
  const Verdict verdict = audit(all_of(copy));
  EXPECT_EQ(verdict.outcome, Outcome::kReject);
  EXPECT_EQ(verdict.findings.at(0).check, Check::kMissing);
}

TEST(AbortCheck, AFaultIsInconclusiveAndNotProven) {
  const trace::Timeline timeline(trace::testing::finished_job().contract());
  const Verdict verdict =
      with_abort(timeline.position_of_step(1), {1, "fault", {}}, "memory \x1b broke", 1);
  EXPECT_EQ(verdict.outcome, Outcome::kInconclusive) << verdict_text(verdict);
  EXPECT_FALSE(verdict.abort_proven);
  EXPECT_TRUE(mentions(verdict.unchecked, "had a fault at step 1")) << verdict_text(verdict);
}

}  // namespace
}  // namespace aftune::audit
