// SPDX-License-Identifier: Apache-2.0
// Outcomes and mistakes of the caller. The lies that an audit finds are told in tests/liar.
#include "aftune/audit/auditor.h"

#include <gtest/gtest.h>

#include "aftune/trace/finished_run_testing.h"

namespace aftune::audit {
namespace {

using trace::testing::must;
using trace::testing::put;
using trace::testing::RunCopy;
using trace::testing::test_engine;
using trace::testing::TinyJob;

AuditRequest request_of(const RunCopy& copy) {
  AuditRequest request{copy.job.contract(), copy.run, {}, false, {}, 0, {}, {}, 0, {}};
  request.now = must(trace::parse_utc("2027-01-31T00:00:00Z"));
  return request;
}

AuditRequest all_blocks_of(const RunCopy& copy) {
  AuditRequest request = request_of(copy);
  request.all = true;
  return request;
}

Verdict verdict_of(const AuditRequest& request) { return must(audit_run(request, test_engine())); }

bool told_in(const std::vector<std::string>& texts, const std::string& part) {
  for (const std::string& text : texts) {
    if (text.find(part) != std::string::npos) return true;
  }
  return false;
}

Path secret_for(const trace::testing::TempFolder& folder) {
  put(folder / "secret", to_hex(ByteBuffer(32, 7)) + "\n");
  return folder / "secret";
}

TEST(Audit, AllBlocksOfAnHonestRunAreAccepted) {
  const RunCopy copy;
  AuditRequest request = all_blocks_of(copy);
  request.delivered = copy.run.delivered();
  request.data = copy.job.data();
  std::size_t told = 0;
  request.on_block = [&](const ReplayedBlock& block) { told += block.held; };
  const Verdict verdict = verdict_of(request);
  EXPECT_EQ(verdict.outcome, Outcome::kAccept) << verdict_text(verdict);
  EXPECT_EQ(verdict.blocks.size(), 6U);
  EXPECT_EQ(told, 6U);
  EXPECT_EQ(verdict.drawn_by, DrawnBy::kAll);
  EXPECT_TRUE(verdict.delivery_checked);
  EXPECT_TRUE(verdict.delivered_sha256);
  EXPECT_TRUE(told_in(verdict.not_checked, "witnesses"));
}

TEST(Audit, TheDrawOfTheSecretIsAccepted) {
  const RunCopy copy;
  const trace::testing::TempFolder folder;
  AuditRequest request = request_of(copy);
  request.secret = secret_for(folder);
  const Verdict verdict = verdict_of(request);
  EXPECT_EQ(verdict.outcome, Outcome::kAccept) << verdict_text(verdict);
  EXPECT_EQ(verdict.drawn_by, DrawnBy::kSecret);
  std::vector<BlockIndex> replayed;
  for (const ReplayedBlock& block : verdict.blocks) {
    if (!block.rebuilt_only) replayed.push_back({block.layer_block, block.step_block});
  }
  auto order = draw_order(ByteBuffer(32, 7),
                          tlog::checkpoint_text(must(tlog::open_checkpoint(
                              verdict.checkpoint_note, copy.job.contract().log_key()))),
                          2, 3);
  order.resize(2);
  std::sort(order.begin(), order.end());
  EXPECT_EQ(replayed, order);
  EXPECT_EQ(trace::testing::get(folder / "secret.checkpoint"), verdict.checkpoint_note);
}

TEST(Audit, ALargerDrawIsALongerPrefixAndNeverAShorterOne) {
  const RunCopy copy;
  const trace::testing::TempFolder folder;
  for (const auto& [asked, given] : {std::pair{1U, 2U}, {4U, 4U}, {100U, 6U}}) {
    AuditRequest request = request_of(copy);
    request.secret = secret_for(folder);
    request.draw_count = asked;
    EXPECT_EQ(verdict_of(request).blocks.size(), given);
  }
}

TEST(Audit, BlocksByHandThatHoldAreInconclusive) {
  const RunCopy copy;
  AuditRequest request = request_of(copy);
  request.blocks = {{1, 2}, {0, 0}, {1, 2}};
  const Verdict verdict = verdict_of(request);
  EXPECT_EQ(verdict.outcome, Outcome::kInconclusive);
  EXPECT_EQ(verdict.blocks.size(), 2U);
  EXPECT_TRUE(told_in(verdict.unchecked, "chosen by hand"));
}

TEST(Audit, NoBlockIsInconclusive) {
  const RunCopy copy;
  const Verdict verdict = verdict_of(request_of(copy));
  EXPECT_EQ(verdict.outcome, Outcome::kInconclusive);
  EXPECT_TRUE(told_in(verdict.unchecked, "no block was replayed"));
}

TEST(Audit, ARunThatIsStillOpenIsInconclusiveUntilItsDate) {
  RunCopy copy;
  copy.entries.resize(7);
  copy.write_log();
  const trace::testing::TempFolder folder;
  AuditRequest request = request_of(copy);
  request.secret = secret_for(folder);
  const Verdict open = verdict_of(request);
  EXPECT_EQ(open.outcome, Outcome::kInconclusive);
  EXPECT_TRUE(told_in(open.unchecked, "not closed yet"));
  EXPECT_FALSE(std::filesystem::exists(folder / "secret.checkpoint")) << "nothing is drawn early";
  request.now = must(trace::parse_utc(copy.job.contract().closes_by));
  EXPECT_EQ(verdict_of(request).outcome, Outcome::kInconclusive) << "the last second counts";
  ++request.now;
  const Verdict late = verdict_of(request);
  EXPECT_EQ(late.outcome, Outcome::kReject);
  EXPECT_EQ(late.findings.at(0).check, Check::kDeadline);
}

TEST(Audit, ARunWithoutALogIsMissingEvidence) {
  const RunCopy copy;
  std::filesystem::remove_all(copy.run.log());
  const Verdict verdict = verdict_of(all_blocks_of(copy));
  EXPECT_EQ(verdict.outcome, Outcome::kReject);
  EXPECT_EQ(verdict.findings.at(0).check, Check::kMissing);
}

TEST(Audit, RebuiltBlocksAreMarkedAndOnlyTheChosenOnesCount) {
  const TinyJob job([](trace::Contract& c) { c.grid.state_interval = 3; });
  must(job.train());
  AuditRequest request{job.contract(), job.run(), {}, false, {{1, 2}}, 0, {}, {}, 0, {}};
  const Verdict verdict = verdict_of(request);
  ASSERT_EQ(verdict.blocks.size(), 3U);
  EXPECT_TRUE(verdict.blocks[0].rebuilt_only && verdict.blocks[1].rebuilt_only);
  EXPECT_FALSE(verdict.blocks[2].rebuilt_only);
  EXPECT_EQ(verdict.blocks[2].step_block, 2U);
  // All six are replayed for these two, and still two were chosen, by hand.
  request.blocks = {{0, 2}, {1, 2}};
  const Verdict both = verdict_of(request);
  EXPECT_EQ(both.blocks.size(), both.blocks_total);
  EXPECT_EQ(both.outcome, Outcome::kInconclusive);
}

TEST(Audit, APrivateBaseIsAcceptedByItsRootSalt) {
  const TinyJob job([](trace::Contract& c) { c.base_public = false; });
  must(job.train());
  AuditRequest request{job.contract(), job.run(), {}, true, {}, 0, {}, {}, 0, {}};
  EXPECT_EQ(verdict_of(request).outcome, Outcome::kAccept);
  const std::string salt = trace::testing::get(job.run().root_salt());
  for (const std::string& lie : {salt.substr(0, 64), salt.substr(0, 64) + "x", salt + "\n"}) {
    put(job.run().root_salt(), lie);
    EXPECT_EQ(verdict_of(request).outcome, Outcome::kReject) << lie;
  }
  put(job.run().root_salt(), trace::testing::digest_of("guess").hex() + "\n");
  EXPECT_EQ(verdict_of(request).outcome, Outcome::kReject);
  std::filesystem::remove(job.run().root_salt());
  const Verdict absent = verdict_of(request);
  EXPECT_EQ(absent.outcome, Outcome::kReject);
  for (const Finding& finding : absent.findings) {
    EXPECT_EQ(finding.check, Check::kMissing) << "no root is another one: " << finding.message;
  }
}

TEST(Audit, AnotherTokenizerThanAgreedIsHeldAgainstTheProvider) {
  const RunCopy copy;
  trace::testing::flip_bit(copy.run.base() / "tokenizer.json", 20);
  const Verdict verdict = verdict_of(all_blocks_of(copy));
  EXPECT_EQ(verdict.outcome, Outcome::kReject);
  EXPECT_EQ(verdict.findings.at(0).check, Check::kData);
}

TEST(Audit, AnotherFinalCheckpointUnderThisSecretIsASplitView) {
  const RunCopy copy;
  const trace::testing::TempFolder folder;
  AuditRequest request = request_of(copy);
  request.secret = secret_for(folder);
  const tlog::Checkpoint other{copy.job.contract().origin(), 15,
                               trace::testing::digest_of("another root")};
  put(folder / "secret.checkpoint",
      tlog::encode_note(tlog::sign_checkpoint(other, copy.job.provider)));
  const Verdict verdict = verdict_of(request);
  EXPECT_EQ(verdict.outcome, Outcome::kReject);
  EXPECT_EQ(verdict.findings.at(0).check, Check::kLog);
  EXPECT_TRUE(verdict.blocks.empty());
}

TEST(Audit, AClosedLogThatShrinksOrAbortsAfterTheDrawIsRejected) {
  RunCopy copy;
  const trace::testing::TempFolder folder;
  AuditRequest request = request_of(copy);
  request.secret = secret_for(folder);
  const Verdict honest = verdict_of(request);
  ASSERT_EQ(honest.outcome, Outcome::kAccept) << verdict_text(honest);
  const auto closed = copy.entries;
  const std::uint64_t last = closed.size() - 1;
  const Digest list = TinyJob::put_object(
      copy.run, trace::encode_list(trace::AbortList{trace::testing::digest_of("salt"), 4, "x"}));
  const std::vector<std::function<void()>> lies = {
      [&] { copy.entries.pop_back(); }, [&] { copy.entries.resize(7); },
      [&] {
        copy.entries.back() = trace::encode_abort(last, {4, "fault", list});
      }};
  for (const auto& lie : lies) {
    copy.entries = closed;
    lie();
    copy.write_log();
    const Verdict verdict = verdict_of(request);
    EXPECT_EQ(verdict.outcome, Outcome::kReject) << verdict_text(verdict);
    EXPECT_EQ(verdict.findings.at(0).check, Check::kLog);
    EXPECT_EQ(verdict.other_checkpoint_note, honest.checkpoint_note) << "a second verifier's proof";
    EXPECT_TRUE(verdict.blocks.empty());
  }
  copy.entries = closed;
  copy.write_log();
  EXPECT_EQ(verdict_of(request).outcome, Outcome::kAccept);
}

TEST(Audit, ACheckpointOfTheOpenRunIsNoEvidenceAgainstTheProvider) {
  const RunCopy copy;
  const trace::testing::TempFolder folder;
  AuditRequest request = request_of(copy);
  request.secret = secret_for(folder);
  const tlog::Checkpoint early{copy.job.contract().origin(), copy.entries.size() - 1,
                               trace::testing::digest_of("root of that size")};
  put(folder / "secret.checkpoint",
      tlog::encode_note(tlog::sign_checkpoint(early, copy.job.provider)));
  const auto verdict = audit_run(request, trace::testing::test_engine());
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().code, Code::kInvalidInput);
}

TEST(Audit, NamesWeightsOnlyWhereTheyWereCompared) {
  const RunCopy copy;
  AuditRequest request = all_blocks_of(copy);
  EXPECT_FALSE(verdict_of(request).delivered_sha256.has_value()) << "a close may bind any digest";
  request.delivered = copy.run.delivered();
  EXPECT_TRUE(verdict_of(request).delivered_sha256.has_value());
  trace::testing::flip_bit(copy.run.delivered() / "tokenizer.json", 20);
  EXPECT_FALSE(verdict_of(request).delivered_sha256.has_value()) << "and held";
}

TEST(Audit, AnObjectThatIsALinkToItselfIsHeldAgainstTheProvider) {
  const RunCopy copy;
  const trace::Timeline timeline(copy.job.contract());
  const std::uint64_t position = timeline.position_of_step(1);
  const Digest list =
      must(trace::decode_entry(copy.entries[position], position, timeline.at(position)));
  const Path object =
      must(trace::Store::open(copy.run.store(), trace::Store::Open::kExisting)).path_of(list);
  std::filesystem::remove(object);
  std::filesystem::create_symlink(object.filename(), object);
  EXPECT_EQ(verdict_of(all_blocks_of(copy)).outcome, Outcome::kReject);
}

TEST(AuditRequest, MistakesOfTheCallerAreErrorsNotVerdicts) {
  const RunCopy copy;
  const trace::testing::TempFolder folder;
  const auto code_of = [&](const std::function<void(AuditRequest&)>& change) {
    AuditRequest request = all_blocks_of(copy);
    change(request);
    const auto verdict = audit_run(request, test_engine());
    return verdict ? Code::kUnavailable : verdict.error().code;
  };
  EXPECT_EQ(code_of([&](auto& r) { r.run.root = folder / "none"; }), Code::kNotFound);
  EXPECT_EQ(code_of([&](auto& r) { r.delivered = folder / "none"; }), Code::kNotFound);
  EXPECT_EQ(code_of([&](auto& r) { r.data = folder / "none"; }), Code::kNotFound);
  put(folder / "other.jsonl", "{\"prompt\":\"a\",\"completion\":\"b\"}\n");
  EXPECT_EQ(code_of([&](auto& r) { r.data = folder / "other.jsonl"; }), Code::kInvalidInput);
  EXPECT_EQ(code_of([&](auto& r) { r.blocks = {{2, 0}}; }), Code::kInvalidInput);
  EXPECT_EQ(code_of([&](auto& r) { r.blocks = {{0, 3}}; }), Code::kInvalidInput);
  EXPECT_EQ(code_of([&](auto& r) { r.secret = folder / "none"; }), Code::kNotFound);
  put(folder / "wrong", to_hex(ByteBuffer(32, 8)) + "\n");
  EXPECT_EQ(code_of([&](auto& r) { r.secret = folder / "wrong"; }), Code::kInvalidInput);
}

TEST(Audit, WritesNothingIntoTheRunFolder) {
  const RunCopy copy;
  const auto before = trace::testing::files_of(copy.run.root);
  verdict_of(all_blocks_of(copy));
  EXPECT_EQ(trace::testing::files_of(copy.run.root), before);
}

}  // namespace
}  // namespace aftune::audit
