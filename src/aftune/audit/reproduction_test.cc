// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/reproduction.h"

#include "aftune/audit/asked_run_testing.h"
#include "aftune/codec/dsse.h"

namespace aftune::audit {
namespace {

using testing::Asked;
using testing::expect_reject;
using testing::kDeadline;
using testing::kReceived;
using testing::must;
using testing::test_engine;
using testing::test_key;

std::string verdict_file(const codec::Json& statement) {
  codec::Dsse envelope{"application/vnd.in-toto+json", codec::canonical_json(statement), {}};
  envelope.sign(test_key(3), "verifier");
  return codec::encode_dsse(envelope);
}

/// What a second verifier finds, who has the file and these openings.
Verdict audited_again(const Asked& asked, const ReportedReject& reported,
                      const std::string& manifest = "") {
  AuditRequest request{asked.contract, asked.run, {}, false, {}, 0, {}, {}, 0, {}};
  request.now = kReceived;
  must(ask_again(reported, manifest, request));
  return must(audit_run(request, test_engine()));
}

TEST(Reject, IsReproducedFromTheVerdictFile) {
  const Asked asked;
  const auto store = must(trace::Store::open(asked.run.store(), trace::Store::Open::kExisting));
  const Manifest manifest = asked.manifest();
  // An edge of a drawn block arrives with other bytes.
  const auto list = must(must(trace::Openings::open(asked.run, asked.contract, asked.log.entries))
                             .step_list(2 * asked.challenge.blocks[0].step_block));
  const Path edge = store.path_of(list.edges[0]);
  ByteBuffer bytes = must(read_file(edge, 1U << 24));
  bytes[0] ^= 1;
  must(write_file(edge, bytes));
  const Verdict verdict = asked.audited(manifest);
  expect_reject(verdict, Check::kOpening, "");
  ASSERT_FALSE(verdict.evidence.empty());
  const codec::Json statement = verdict_statement(verdict);
  const ReportedReject reported = must(read_reject(verdict_file(statement), asked.contract));
  EXPECT_TRUE(reported.is_signed);
  EXPECT_EQ(reported.findings.size(), verdict.findings.size());
  const std::string answer = sign_manifest(manifest, asked.job.provider, "provider");
  const Verdict again = audited_again(asked, reported, answer);
  EXPECT_TRUE(not_found_again(reported, again).empty());
  EXPECT_EQ(again.blocks.size(), reported.blocks.size()) << "only what did not hold is replayed";
  // Over the honest openings nothing of it is found: a REJECT that was made up.
  const Asked honest;
  EXPECT_EQ(not_found_again(reported, audited_again(honest, reported, answer)).size(),
            reported.findings.size());
  // Each part of a finding counts.
  const std::function<void(Finding&)> parts[] = {
      [](Finding& f) { f.check = Check::kLoss; }, [](Finding& f) { f.place += "0"; },
      [](Finding& f) { f.committed += "0"; }, [](Finding& f) { f.recomputed += "0"; }};
  for (const auto& change : parts) {
    ReportedReject other = reported;
    change(other.findings[0]);
    EXPECT_EQ(not_found_again(other, again).size(), 1U);
  }
  codec::Json without = statement;
  *without.object()->at("predicate").object()->at("findings").array() = {};
  EXPECT_FALSE(read_reject(verdict_file(without), asked.contract)) << "a REJECT of nothing";
  // And a proof that does not hold is no verdict.
  for (const char* member : {"entry", "index", "proof"}) {
    codec::Json lie = statement;
    codec::Json& evidence = lie.object()->at("predicate").object()->at("evidence").array()->at(0);
    codec::Json& value = evidence.object()->at(member);
    if (value.array() != nullptr) value.array()->pop_back();
    if (value.string() != nullptr) value = *value.string() + " ";
    if (value.integer() != nullptr) value = *value.integer() + 1;
    EXPECT_FALSE(read_reject(verdict_file(lie), asked.contract)) << member;
  }
  const auto other =
      read_reject(verdict_file(statement), trace::testing::finished_job().contract());
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().what.find("it is not of contract"), std::string::npos);
}

TEST(Reject, OnlyOneThatRejectsIsReproduced) {
  const Asked asked;
  const Verdict verdict = asked.audited(asked.manifest());
  const auto read = read_reject(verdict_file(verdict_statement(verdict)), asked.contract);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().what.find("it says ACCEPT"), std::string::npos);
}

TEST(Reject, ForWhatTheManifestLeavesOutNeedsTheManifest) {
  const Asked asked;
  Manifest manifest = asked.manifest();
  std::erase(manifest.objects, must(list_digests(asked.contract, asked.log.entries)).at(3));
  const Verdict verdict = asked.audited(manifest);
  expect_reject(verdict, Check::kMissing, "the list of entry 4 is not in the manifest");
  const auto reported = must(read_reject(verdict_file(verdict_statement(verdict)), asked.contract));
  const std::string answer = sign_manifest(manifest, asked.job.provider, "provider");
  EXPECT_TRUE(not_found_again(reported, audited_again(asked, reported, answer)).empty());
  const std::string whole = sign_manifest(asked.manifest(), asked.job.provider, "provider");
  for (const std::string& other : {std::string(), whole}) {
    AuditRequest request{asked.contract, asked.run, {}, false, {}, 0, {}, {}, 0, {}};
    const Status asked_again = ask_again(reported, other, request);
    ASSERT_FALSE(asked_again);
    EXPECT_EQ(asked_again.error().code, Code::kInvalidInput);
    EXPECT_NE(asked_again.error().what.find(reported.manifest->hex()), std::string::npos);
  }
}

TEST(Reject, ForALateAnswerAndABlockIsReproducedInBoth) {
  Asked late;
  late.state(7, kDeadline + 9, kDeadline + 1);
  late.state(8, kDeadline + 9, kDeadline + 1);
  const Manifest manifest = late.manifest();
  const auto store = must(trace::Store::open(late.run.store(), trace::Store::Open::kExisting));
  const auto list = must(must(trace::Openings::open(late.run, late.contract, late.log.entries))
                             .step_list(2 * late.challenge.blocks[0].step_block));
  trace::testing::flip_bit(store.path_of(list.edges[0]), 0);
  const Verdict verdict = late.audited(manifest);
  expect_reject(verdict, Check::kDeadline, "2 of 3 witnesses");
  const auto reported = must(read_reject(verdict_file(verdict_statement(verdict)), late.contract));
  EXPECT_FALSE(reported.blocks.empty());
  const std::string answer = sign_manifest(manifest, late.job.provider, "provider");
  EXPECT_TRUE(not_found_again(reported, audited_again(late, reported, answer)).empty());
}

/// A provider that shows the second verifier an honest log, after a lie to the first.
TEST(Reject, OfAnotherLogThanIsShownTellsOfBoth) {
  const Asked honest;
  const Asked lie;
  auto entries = lie.log.entries;
  const trace::Timeline timeline(lie.contract);
  const std::uint64_t position = timeline.position_of_step(1);
  entries[position] = trace::encode_entry(position, timeline.at(position), Digest());
  lie.job.forge_log(lie.run, entries);
  AuditRequest request{lie.contract, lie.run, {}, false, {}, 0, {}, {}, kReceived, {}};
  const Verdict verdict = must(audit_run(request, test_engine()));
  expect_reject(verdict, Check::kMissing, "");
  const auto reported = must(read_reject(verdict_file(verdict_statement(verdict)), lie.contract));
  const Verdict again = audited_again(honest, reported);
  EXPECT_EQ(not_found_again(reported, again).size(), reported.findings.size());
  expect_reject(again, Check::kLog, "the provider signed 15 entries");
  EXPECT_EQ(again.other_checkpoint_note, reported.checkpoint_note);
}

TEST(Reject, CarriesWhatConvictsWithoutAReplay) {
  Asked late;
  std::filesystem::remove_all(late.run.store());
  late.state(7, kDeadline + 1);
  late.state(8, kDeadline + 1);
  const auto deadline =
      must(read_reject(verdict_file(verdict_statement(late.audited({}))), late.contract));
  EXPECT_TRUE(not_found_again(deadline, audited_again(late, deadline)).empty());
  // A log that another note contradicts: the note travels in the verdict.
  const Asked split;
  AuditRequest request{split.contract, split.run, {}, false, {}, 0, {}, {}, kReceived, {}};
  const tlog::Checkpoint other{split.contract.origin(), 3, Digest()};
  request.notes = {tlog::encode_note(tlog::sign_checkpoint(other, split.job.provider))};
  const Verdict verdict = must(audit_run(request, test_engine()));
  expect_reject(verdict, Check::kLog, "3 entries with root 0000");
  const auto reported = must(read_reject(verdict_file(verdict_statement(verdict)), split.contract));
  EXPECT_TRUE(not_found_again(reported, audited_again(split, reported)).empty());
  ReportedReject without = reported;
  without.other_checkpoint.clear();
  EXPECT_EQ(not_found_again(reported, audited_again(split, without)).size(), 1U);
}

/// The provider shows the second verifier the other of its two logs: the verdict has both notes.
TEST(Reject, ForASplitViewIsReproducedOverEitherLog) {
  const Asked honest;
  Asked liar;
  const auto lie = [&](std::size_t size, const std::string& entry) {
    std::vector<std::string> entries = liar.log.entries;
    entries.resize(size);
    entries.back() = entry;
    tlog::GrowingTree tree;
    for (const std::string& one : entries) tree.append(tlog::leaf_hash(as_bytes(one)));
    return tlog::encode_note(tlog::sign_checkpoint(
        {liar.contract.origin(), tree.size(), tree.root()}, liar.job.provider));
  };
  for (const std::size_t size : {std::size_t{3}, liar.log.entries.size()}) {
    ReportedReject reported;
    reported.checkpoint_note = lie(size, "another");
    reported.other_checkpoint = honest.log.checkpoint_note;
    reported.findings = {{Check::kLog, "final checkpoint", "two logs", "ab", "cd"}};
    EXPECT_TRUE(not_found_again(reported, audited_again(honest, reported)).empty()) << size;
    // A note that the shown log goes on from contradicts nothing.
    reported.checkpoint_note = lie(size, liar.log.entries[size - 1]);
    EXPECT_EQ(not_found_again(reported, audited_again(honest, reported)).size(), 1U) << size;
  }
}

}  // namespace
}  // namespace aftune::audit
