// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/witness_check.h"

#include <gtest/gtest.h>

#include "aftune/trace/finished_run_testing.h"

namespace aftune::audit {
namespace {

using trace::testing::must;
using trace::testing::RunCopy;
using trace::testing::test_key;

constexpr std::uint64_t kStart = 1'700'000'000;
constexpr std::uint64_t kApart = 100;  // seconds between two checkpoints of the honest run

tlog::WitnessKey witness(unsigned char seed) {
  return {"witness-" + std::to_string(seed), test_key(seed).public_key()};
}

/// The finished run's log as it is shown, and what witnesses keep of it.
struct Watched {
  RunCopy copy;
  trace::Contract contract = copy.job.contract();
  tlog::LogReading log = copy.job.log(copy.run);
  std::vector<KeptCheckpoint> kept;
  std::int64_t now = static_cast<std::int64_t>(kStart) + 100'000;
  WitnessLimits limits;
  Verdict verdict;

  Watched(std::vector<unsigned char> seeds, std::uint64_t quorum) {
    contract.audit.witnesses = {{}, quorum, kApart};
    for (const unsigned char seed : seeds) contract.audit.witnesses.keys.push_back(witness(seed));
  }
  /// A checkpoint with a cosignature of `seed`.
  void keep(std::size_t index, std::uint64_t time, unsigned char seed = 7) {
    auto note = must(tlog::decode_note(log.history_notes[index]));
    tlog::cosign(note, test_key(seed), witness(seed).name, time);
    kept.push_back({"kept", log.history[index], std::move(note)});
  }
  void keep_all(unsigned char seed = 7) {
    for (std::size_t i = 0; i < log.history.size(); ++i) keep(i, kStart + kApart * i, seed);
  }
  /// A note of the provider's over the first entries of another log.
  void keep_other(std::uint64_t size, std::uint64_t from) {
    std::vector<Digest> leaves = log.leaf_hashes;
    leaves.resize(size, tlog::leaf_hash(as_bytes("more")));
    for (std::uint64_t i = from; i < size; ++i) leaves[i] = tlog::leaf_hash(as_bytes("other"));
    const tlog::Checkpoint other{log.checkpoint.origin, size, tlog::merkle_root(leaves)};
    kept.push_back({"kept", other, tlog::sign_checkpoint(other, copy.job.provider)});
  }
  void check() {
    Judge judge(verdict);
    RunFacts facts;
    check_entries(copy.job.contract(), log.entries, judge, facts);
    check_witnesses(contract, kept, log, facts, now, limits, verdict, judge);
  }
};

std::string open_text(const Watched& watched) {
  EXPECT_TRUE(watched.verdict.findings.empty());
  return watched.verdict.unchecked.empty() ? "" : watched.verdict.unchecked[0];
}

void expect_open(Watched& watched, const std::string& names) {
  watched.check();
  EXPECT_NE(open_text(watched).find(names), std::string::npos) << open_text(watched);
}

void expect_split(Watched& watched, const std::string& names) {
  watched.check();
  ASSERT_EQ(watched.verdict.findings.size(), 1U);
  const Finding& finding = watched.verdict.findings[0];
  EXPECT_EQ(finding.check, Check::kLog);
  EXPECT_EQ(finding.place, "split view");
  EXPECT_NE(finding.message.find(names), std::string::npos) << finding.message;
  EXPECT_NE(finding.committed, finding.recomputed);
  EXPECT_TRUE(tlog::open_checkpoint(watched.verdict.other_checkpoint_note,
                                    watched.copy.job.contract().log_key()));
}

TEST(WitnessCheck, AWatchedRunIsAttested) {
  Watched watched({7}, 1);
  watched.keep_all();
  ASSERT_EQ(watched.log.history.size(), 5U) << "first states, three step blocks, close";
  watched.check();
  EXPECT_EQ(open_text(watched), "");
  ASSERT_EQ(watched.verdict.witnesses.size(), 1U);
  EXPECT_TRUE(watched.verdict.witnesses[0].attests);
  EXPECT_NE(verdict_text(watched.verdict).find("witness-7 attests"), std::string::npos);
}

TEST(WitnessCheck, NothingIsAskedWithoutWitnesses) {
  Watched watched({}, 0);
  watched.check();
  EXPECT_EQ(open_text(watched), "");
  EXPECT_TRUE(watched.verdict.witnesses.empty());
}

TEST(WitnessCheck, EachCheckpointIsNeeded) {
  for (std::size_t left_out = 0; left_out < 5; ++left_out) {
    Watched watched({7}, 1);
    watched.keep_all();
    watched.kept.erase(watched.kept.begin() + static_cast<std::ptrdiff_t>(left_out));
    expect_open(watched, "1 of 5 checkpoints without its cosignature");
  }
}

TEST(WitnessCheck, TheQuorumCounts) {
  for (const std::uint64_t quorum : {1, 2, 3}) {
    Watched watched({7, 8, 9}, quorum);
    watched.keep_all(7);
    watched.keep_all(9);
    watched.check();
    if (quorum <= 2) {
      EXPECT_EQ(open_text(watched), "");
    } else {
      EXPECT_NE(open_text(watched).find("2 of 3 witnesses attest the log, the contract asks for 3"),
                std::string::npos);
    }
  }
}

TEST(WitnessCheck, OnlyTheContractsKeysCount) {
  Watched watched({7}, 1);
  watched.keep_all(8);
  expect_open(watched, "5 of 5 checkpoints");
}

TEST(WitnessCheck, TimesMayNotGoBack) {
  Watched watched({7}, 1);
  for (std::size_t i = 0; i < 5; ++i) watched.keep(i, kStart + (i == 2 ? 0 : 10 * i));
  expect_open(watched, "and, before that,");
}

TEST(WitnessCheck, AGapLongerThanAgreedIsBridgedByCosigningAgain) {
  for (const std::uint64_t gap : {kApart, kApart + 1}) {
    Watched watched({7}, 1);
    for (std::size_t i = 0; i < 5; ++i) watched.keep(i, kStart + i + (i > 2 ? gap - 1 : 0));
    watched.check();
    EXPECT_EQ(open_text(watched).empty(), gap == kApart) << open_text(watched);
  }
  Watched watched({7}, 1);
  for (std::size_t i = 0; i < 5; ++i) watched.keep(i, kStart + i + (i > 2 ? 5000 : 0));
  watched.keep(2, kStart + 4950);
  watched.check();
  EXPECT_EQ(open_text(watched), "");
}

TEST(WitnessCheck, TheEndIsDueByTheContractsDateTheAuditAndTheChallenge) {
  const std::uint64_t end = kStart + 4 * kApart;
  const auto watched_with = [](const std::function<void(Watched&)>& change) {
    Watched watched({7}, 1);
    watched.keep_all();
    change(watched);
    watched.check();
    return open_text(watched);
  };
  const auto closes = [](std::uint64_t at) {
    return trace::spell_utc(static_cast<std::int64_t>(at));
  };
  EXPECT_EQ(watched_with([&](Watched& w) { w.contract.closes_by = closes(end); }), "");
  EXPECT_NE(watched_with([&](Watched& w) {
              w.contract.closes_by = closes(end - 1);
            }).find("it was due by"),
            std::string::npos);
  EXPECT_EQ(watched_with([&](Watched& w) { w.now = static_cast<std::int64_t>(end) - 300; }), "");
  EXPECT_NE(watched_with([&](Watched& w) {
              w.now = static_cast<std::int64_t>(end) - 301;
            }).find("after this audit"),
            std::string::npos);
  EXPECT_EQ(watched_with([&](Watched& w) { w.limits[witness(7).spell()] = end; }), "");
  EXPECT_NE(watched_with([&](Watched& w) {
              w.limits[witness(7).spell()] = end - 1;
            }).find("after it had received the challenge"),
            std::string::npos);
}

TEST(WitnessCheck, AnotherLogOfTheProvidersIsALie) {
  for (const std::uint64_t from : {0, 3, 9}) {
    Watched watched({7}, 1);
    watched.keep_all();
    watched.keep_other(10, from);
    expect_split(watched, "has root");
  }
  Watched without({}, 0);
  without.keep_other(without.log.checkpoint.size, 2);
  expect_split(without, "at that size");
}

TEST(WitnessCheck, ALargerLogMayBeTheNewerOneUnlessNothingCanFollow) {
  Watched watched({}, 0);
  watched.keep_other(watched.log.checkpoint.size + 1, UINT64_MAX);
  Judge open(watched.verdict);
  check_witnesses(watched.contract, watched.kept, watched.log, RunFacts(), watched.now, {},
                  watched.verdict, open);
  EXPECT_NE(open_text(watched).find("may be an old copy"), std::string::npos);
  // The same beside a log that is closed, and beside one that ends by an abort.
  Watched closed({}, 0);
  closed.keep_other(closed.log.checkpoint.size + 1, UINT64_MAX);
  expect_split(closed, "is closed after 15 entries");
  Watched aborted({}, 0);
  aborted.keep_other(aborted.log.checkpoint.size + 1, UINT64_MAX);
  Judge judge(aborted.verdict);
  RunFacts facts;
  facts.abort = trace::AbortEntry();
  check_witnesses(aborted.contract, aborted.kept, aborted.log, facts, aborted.now, {},
                  aborted.verdict, judge);
  ASSERT_EQ(aborted.verdict.findings.size(), 1U);
  EXPECT_NE(aborted.verdict.findings[0].message.find("ends by an abort"), std::string::npos);
}

TEST(KeptCheckpoints, AreReadFromFoldersAndFilesAndMustBeTheLogs) {
  const Watched watched({7}, 1);
  const trace::testing::TempFolder folder;
  const auto key = watched.copy.job.contract().log_key();
  const auto put = [&](const Path& file, std::string_view text) {
    must(make_folders((folder / file.string()).parent_path()));
    trace::testing::put(folder / file.string(), text);
  };
  put("state/cosigned/4", watched.log.history_notes[0]);
  put("state/cosigned/4.last", watched.log.history_notes[0]);
  put("state/cosigned/9.tmp-1", "half a note");
  put("state/evidence/00/older", watched.log.history_notes[1]);
  put("state/evidence/00/newer", watched.log.history_notes[2]);
  put("state/log", "no note");
  put("notes/a", watched.log.history_notes[3]);
  EXPECT_EQ(must(read_kept_checkpoints({folder / "state"}, {}, key)).size(), 4U);
  EXPECT_EQ(must(read_kept_checkpoints({folder / "notes"}, {}, key)).size(), 1U);
  EXPECT_EQ(must(read_kept_checkpoints({folder / "notes/a", folder / "state"}, {}, key)).size(),
            5U);
  EXPECT_EQ(read_kept_checkpoints({folder / "nowhere"}, {}, key).error().code, Code::kNotFound);
  put("notes/b", "no note");
  EXPECT_EQ(read_kept_checkpoints({folder / "notes"}, {}, key).error().code, Code::kInvalidInput);
  const tlog::VerifierKey other{key.name, test_key(1).public_key()};
  EXPECT_FALSE(read_kept_checkpoints({folder / "state"}, {}, other)) << "not by the provider";
  // Evidence that cannot be listed is not evidence that is not there.
  std::filesystem::remove_all(folder / "state/evidence");
  EXPECT_EQ(must(read_kept_checkpoints({folder / "state"}, {}, key)).size(), 2U);
  put("state/evidence", "no folder");
  EXPECT_EQ(read_kept_checkpoints({folder / "state"}, {}, key).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace aftune::audit
