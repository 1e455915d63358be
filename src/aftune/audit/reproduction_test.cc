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
Verdict audited_again(const Asked& asked, const ReportedReject& reported) {
  AuditRequest request{asked.contract, asked.run, {}, false, {}, 0, {}, {}, 0, {}};
  request.now = kReceived;
  must(ask_again(reported, request));
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
  EXPECT_TRUE(not_found_again(reported, audited_again(asked, reported)).empty());
  // Over the honest openings nothing of it is found: a REJECT that was made up.
  const Asked honest;
  EXPECT_EQ(not_found_again(reported, audited_again(honest, reported)).size(),
            reported.findings.size());
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
  EXPECT_FALSE(read_reject(verdict_file(statement), trace::testing::finished_job().contract()));
}

TEST(Reject, OnlyOneThatRejectsIsReproduced) {
  const Asked asked;
  const Verdict verdict = asked.audited(asked.manifest());
  const auto read = read_reject(verdict_file(verdict_statement(verdict)), asked.contract);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().what.find("it says ACCEPT"), std::string::npos);
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

}  // namespace
}  // namespace aftune::audit
