// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/answer_check.h"

#include "aftune/audit/asked_run_testing.h"

namespace aftune::audit {
namespace {

using testing::Asked;
using testing::expect_open;
using testing::expect_reject;
using testing::kDeadline;
using testing::kReceived;
using testing::must;
using testing::test_engine;
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

TEST(Answer, WithoutCosignaturesIsNotAccepted) {
  const Asked asked;
  AuditRequest request{asked.contract, asked.run, {}, true, {}, 0, {}, {}, kReceived, {}};
  const Verdict verdict = must(audit_run(request, test_engine()));
  expect_open(verdict, "0 of 3 witnesses attest the log, the contract asks for 2");
}

}  // namespace
}  // namespace aftune::audit
