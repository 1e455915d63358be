// SPDX-License-Identifier: Apache-2.0
// T18 and T19: a log that is rewritten, shown in two versions, made late or back-dated, under the
// eyes of witnesses. Two notes of the provider's that contradict each other are REJECT; what only
// a time tells is not shown to be the provider's fault, and stays open.
#include <gtest/gtest.h>

#include "aftune/trace/entry.h"
#include "expect_verdict.h"
#include "watched_run.h"

namespace aftune::liar {
namespace {

const World& one_witness() { return world(watched({8}, 1)); }

/// The audits here are of logs: what the entries name is the honest run's, or does not matter.
audit::Verdict audit_log(const WatchedRun& run, const std::vector<Path>& witnesses) {
  audit::AuditRequest request = run.request(witnesses);
  request.all = false;
  return must(audit::audit_run(request, engine()));
}

TEST(WitnessLies, HonestTwinIsWatchedAndAccepted) {
  const World& w = one_witness();
  WatchedRun run(w);
  Watcher watcher(w, 8);
  run.grow({&watcher});
  const auto verdict = run.audit_all({watcher.state()});
  EXPECT_TRUE(accepted(verdict));
  ASSERT_EQ(verdict.witnesses.size(), 1U);
  EXPECT_TRUE(verdict.witnesses[0].attests);
}

TEST(WitnessLies, ARunThatWasInterruptedIsWatchedAndAccepted) {
  const World& w = one_witness();
  WatchedRun run(w);
  Watcher watcher(w, 8);
  std::uint64_t now = kFirstLook;
  for (const std::uint64_t size : run.sizes()) {
    run.write_log(size);
    watcher.look(run.folder(), now);
    // The trainer is away for an hour; the witness keeps looking.
    watcher.look(run.folder(), now + 3600);
    now += 3660;
  }
  EXPECT_TRUE(accepted(run.audit_all({watcher.state()})));
}

TEST(WitnessLies, T18ALogRewrittenAfterACheckpoint) {
  const World& w = one_witness();
  WatchedRun run(w);
  Watcher watcher(w, 8);
  run.write_log(run.sizes()[1]);
  watcher.look(run.folder(), kFirstLook);
  run.change_step(0);
  run.write_log();
  const auto look = watcher.look(run.folder(), kFirstLook + 1);
  EXPECT_NE(look.refused, "") << "the witness sees it at once";
  EXPECT_TRUE(look.cosigned.empty());
  const auto verdict = audit_log(run, {watcher.state()});
  EXPECT_TRUE(rejected(verdict, {"log", "split view", "at that size"}));
  EXPECT_FALSE(verdict.other_checkpoint_note.empty());
  EXPECT_TRUE(rejected(audit_log(run, {look.evidence / "older"}), {"log", "split view", "root"}))
      << "the note alone is evidence";
}

TEST(WitnessLies, T18TwoReadersShownTwoLogs) {
  const World& w = one_witness();
  WatchedRun shown(w), other(w);
  other.change_step(3);
  other.write_log();
  Watcher mine(w, 8), theirs(w, 9);
  shown.grow({&mine});
  other.grow({&theirs});
  EXPECT_TRUE(accepted(shown.audit_all({mine.state()})));
  EXPECT_TRUE(rejected(audit_log(shown, {mine.state(), theirs.state()}),
                       {"log", "split view", "at that size"}));
}

TEST(WitnessLies, T18ASecondClose) {
  const World& w = one_witness();
  WatchedRun run(w);
  Watcher watcher(w, 8);
  run.grow({&watcher});
  run.change_step(4);
  run.write_log();
  EXPECT_TRUE(watcher.look(run.folder(), kFirstLook + 10'000).refused.starts_with("fork"));
  EXPECT_TRUE(rejected(audit_log(run, {watcher.state()}), {"log", "split view", "at that size"}));
}

TEST(WitnessLies, T18AShorterLogMayBeAnOldCopyButNotAnAbortedOne) {
  const World& w = one_witness();
  WatchedRun run(w);
  Watcher watcher(w, 8);
  run.grow({&watcher});
  run.write_log(run.sizes()[2]);
  EXPECT_TRUE(watcher.look(run.folder(), kFirstLook + 10'000).refused.starts_with("rollback"));
  EXPECT_TRUE(inconclusive(audit_log(run, {watcher.state()}), "it may be an old copy"));
  const std::uint64_t end = run.sizes()[2];
  run.entries.resize(end);
  run.entries.push_back(trace::encode_abort(end, {4, "fault", Digest()}));
  run.write_log();
  EXPECT_TRUE(rejected(audit_log(run, {watcher.state()}), {"log", "split view", "by an abort"}));
}

TEST(WitnessLies, T19ALogMadeAfterTheContractsDate) {
  Terms terms = watched({8}, 1);
  terms.change = [honest = terms.change](trace::Contract& contract) {
    honest(contract);
    contract.closes_by = trace::spell_utc(kFirstLook + 1000);
  };
  const World& w = world(terms);
  WatchedRun run(w);
  Watcher in_time(w, 8), late(w, 8);
  run.grow({&in_time});
  run.grow({&late}, kBetweenLooks, kFirstLook + 2000);
  EXPECT_TRUE(accepted(run.audit_all({in_time.state()})));
  EXPECT_TRUE(inconclusive(run.audit_all({late.state()}), "it was due by"));
}

TEST(WitnessLies, T19EntriesHeldBack) {
  const World& w = one_witness();
  WatchedRun run(w);
  Watcher watcher(w, 8);
  const auto sizes = run.sizes();
  run.write_log(sizes[1]);
  watcher.look(run.folder(), kFirstLook);
  // The witness looks again when allowed, and is shown nothing for longer than agreed.
  run.write_log();
  watcher.look(run.folder(), kFirstLook + kMaxDelay + 1);
  EXPECT_TRUE(inconclusive(run.audit_all({watcher.state()}), "the contract allows 100 s"));
}

TEST(WitnessLies, T19CosignaturesThatTheProviderMadeUp) {
  const World& w = one_witness();
  WatchedRun run(w);
  Watcher provider(w, 2), stranger(w, 9);
  run.grow({&provider, &stranger});
  EXPECT_TRUE(inconclusive(run.audit_all({provider.state(), stranger.state()}),
                           "0 of 1 witnesses attest the log"));
}

TEST(WitnessLies, A7CosignaturesThatTheClientWithholds) {
  const World& w = one_witness();
  WatchedRun run(w);
  Watcher watcher(w, 8);
  run.grow({&watcher});
  EXPECT_TRUE(inconclusive(run.audit_all({}), "0 of 1 witnesses attest the log"));
  std::filesystem::remove(watcher.state() / "cosigned" / std::to_string(run.sizes()[2]));
  EXPECT_TRUE(
      inconclusive(run.audit_all({watcher.state()}), "1 of 5 checkpoints without its cosignature"));
}

TEST(WitnessLies, A7ANoteThatTheClientMadeUpIsAnErrorOfTheRequest) {
  const World& w = one_witness();
  WatchedRun run(w);
  const tlog::Checkpoint other{w.contract().origin(), run.entries.size(), Digest()};
  const Path file = fresh_path("note");
  replace(file, tlog::encode_note(tlog::sign_checkpoint(other, key_of_seed(1))));
  const auto verdict = audit::audit_run(run.request({file}), engine());
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().code, Code::kInvalidInput);
}

}  // namespace
}  // namespace aftune::liar
