// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/answer_check.h"

#include "aftune/audit/asked_run_testing.h"
#include "aftune/audit/draw_rule.h"

namespace aftune::audit {
namespace {

using testing::Asked;
using testing::expect_open;
using testing::expect_reject;
using testing::kDeadline;
using testing::kReceived;
using testing::must;
using testing::test_engine;
using testing::TinyJob;
using testing::watched_job;

TEST(Answer, ThatIsWholeIsAccepted) {
  Asked asked;
  asked.state(7, 100, 50);
  const Verdict verdict = asked.audited(asked.manifest());
  EXPECT_EQ(verdict.outcome, Outcome::kAccept) << verdict_text(verdict);
  EXPECT_EQ(verdict.drawn_by, DrawnBy::kSecret);
  EXPECT_TRUE(verdict.manifest);
  EXPECT_FALSE(verdict.challenge.empty());
}

TEST(Answer, ThatIsNotSignedForIsNotAcceptedThoughAllIsThere) {
  expect_open(Asked().audited({}), "no manifest answers the challenge");
}

/// Only what the manifest lists is handed over.
TEST(Answer, OfNothingButTheListedObjectsIsAccepted) {
  const Asked asked;
  const Manifest manifest = asked.manifest();
  const auto store = must(trace::Store::open(asked.run.store(), trace::Store::Open::kExisting));
  for (const auto& object : must(store.objects())) {
    if (!manifest.lists(object.digest)) std::filesystem::remove(store.path_of(object.digest));
  }
  const Verdict verdict = asked.audited(manifest);
  EXPECT_EQ(verdict.outcome, Outcome::kAccept) << verdict_text(verdict);
}

TEST(Answer, A7WhatIsListedAndDidNotArriveIsNotTheProvidersFault) {
  const Digest list = must(list_digests(watched_job().contract(), Asked().log.entries)).at(3);
  const Asked lost;
  std::filesystem::remove(
      must(trace::Store::open(lost.run.store(), trace::Store::Open::kExisting)).path_of(list));
  const Manifest whole = Asked().manifest();
  expect_open(lost.audited(whole), "1 of what the manifest lists did not arrive");
  const Asked no_base;
  std::filesystem::remove(no_base.run.base() / "model.safetensors");
  expect_open(no_base.audited(whole), "base/model.safetensors");
}

/// Its end is compared with nothing: it would have met no lie there.
TEST(Answer, ADrawnBlockWhoseListDidNotArriveAchievedNothing) {
  Asked lost;
  EXPECT_FALSE(lost.audited(lost.manifest()).achieved.empty());
  const Manifest whole = lost.manifest();
  const BlockIndex drawn = lost.challenge.blocks[0];
  const trace::Timeline timeline(lost.contract);
  const std::uint64_t end = timeline.position_of_state(drawn.layer_block, drawn.step_block + 1);
  const Digest list = must(list_digests(lost.contract, lost.log.entries)).at(end - 1);
  std::filesystem::remove(
      must(trace::Store::open(lost.run.store(), trace::Store::Open::kExisting)).path_of(list));
  const Verdict verdict = lost.audited(whole);
  expect_open(verdict, "1 of what the manifest lists did not arrive");
  EXPECT_TRUE(verdict.achieved.empty()) << verdict_text(verdict);
}

TEST(Answer, T4WhatIsNeededAndNotListedIsRejected) {
  const Digest list = must(list_digests(watched_job().contract(), Asked().log.entries)).at(3);
  const Asked asked;
  Manifest manifest = asked.manifest();
  std::erase(manifest.objects, list);
  expect_reject(asked.audited(manifest), Check::kMissing, "the list of entry 4 is not in the");
  std::filesystem::remove(
      must(trace::Store::open(asked.run.store(), trace::Store::Open::kExisting)).path_of(list));
  expect_reject(asked.audited(manifest), Check::kMissing, "the list of entry 4 is not in the");
  Manifest no_base = Asked().manifest();
  std::erase_if(no_base.files, [](const auto& f) { return f.path == "base/config.json"; });
  expect_reject(Asked().audited(no_base), Check::kMissing, "base/config.json is not in the");
}

TEST(Answer, A7WithoutAManifestAbsenceProvesNothing) {
  Asked asked;
  std::filesystem::remove_all(asked.run.store());
  std::filesystem::remove_all(asked.run.base());
  expect_open(asked.audited({}), "no manifest answers the challenge");
  asked.state(7, kDeadline + 1);
  expect_open(asked.audited({}), "no manifest answers the challenge");
  asked.state(1, kDeadline + 1);
  expect_open(asked.audited({}), "no manifest answers the challenge");  // the client is no witness
  asked.state(8, kDeadline);
  expect_open(asked.audited({}), "no manifest answers the challenge");  // the last second counts
  asked.state(7, kDeadline + 5);
  expect_open(asked.audited({}), "no manifest answers the challenge");  // one witness, twice
}

TEST(Answer, A5ThatAQuorumWaitedForTooLongIsRejected) {
  Asked never;
  std::filesystem::remove_all(never.run.store());
  never.state(7, kDeadline + 1);
  never.state(8, kDeadline + 1);
  expect_reject(never.audited({}), Check::kDeadline, "2 of 3 witnesses had the challenge for over");
  Asked late;
  late.state(7, kDeadline + 9, kDeadline + 1);
  late.state(8, kDeadline + 9, kDeadline + 1);
  expect_reject(late.audited(late.manifest()), Check::kDeadline, "2 of 3 witnesses");
  Asked in_time;
  in_time.state(7, kDeadline + 9, kDeadline);
  in_time.state(8, kDeadline + 9, kDeadline);
  EXPECT_EQ(in_time.audited(in_time.manifest()).outcome, Outcome::kAccept);
}

/// A provider refuses a challenge that is not the draw's: silence about it proves nothing, whatever
/// of the run the client shows.
TEST(Answer, A7ToAChallengeOfTheClientsOwnChoiceIsNeverDue) {
  Asked lie;
  std::swap(lie.challenge.blocks[0], lie.challenge.blocks[1]);
  lie.state(7, kDeadline + 1);
  lie.state(8, kDeadline + 1);
  const auto refused = lie.audit({});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("does not follow from the draw"), std::string::npos);
  std::filesystem::remove_all(lie.run.log());
  const auto still = lie.audit({});
  ASSERT_FALSE(still) << verdict_text(*still);
  EXPECT_NE(still.error().what.find("does not follow from the draw"), std::string::npos);
  // Of the draw's own challenge the deadline counts without the log, too.
  Asked honest;
  honest.state(7, kDeadline + 1);
  honest.state(8, kDeadline + 1);
  std::filesystem::remove_all(honest.run.log());
  expect_reject(honest.audited({}), Check::kDeadline, "2 of 3 witnesses");
}

/// Where the draw hangs on lists that the client does not show, nobody can tell whose choice it is.
TEST(Answer, A7ToAChallengeThatCannotBeCheckedIsNotDue) {
  static const TinyJob job([](trace::Contract& c) {
    c.audit.witnesses = watched_job().contract().audit.witnesses;
    c.audit.strategy = trace::Strategy::kStateChanges;
  });
  static const bool closed = must(job.train()).end == trace::RunEnd::kClosed;
  ASSERT_TRUE(closed);
  Asked lie(job);
  lie.state(7, kDeadline + 1);
  lie.state(8, kDeadline + 1);
  std::filesystem::remove_all(lie.run.store());
  must(make_folders(lie.run.store()));
  expect_open(lie.audited({}), "the draw hangs on the committed norms");
  Asked honest(job);
  const DrawRule rule = must(draw_rule(honest.contract, honest.run, honest.log.entries));
  honest.challenge.blocks =
      draw_order(ByteBuffer(32, 7), tlog::checkpoint_text(honest.log.checkpoint), 2, 3, rule);
  honest.state(7, kDeadline + 1);
  honest.state(8, kDeadline + 1);
  expect_reject(honest.audited({}), Check::kDeadline, "2 of 3 witnesses");
}

TEST(Answer, WithoutCosignaturesIsNotAccepted) {
  const Asked asked;
  AuditRequest request{asked.contract, asked.run, {}, true, {}, 0, {}, {}, kReceived, {}};
  const Verdict verdict = must(audit_run(request, test_engine()));
  expect_open(verdict, "0 of 3 witnesses attest the log, the contract asks for 2");
}

}  // namespace
}  // namespace aftune::audit
