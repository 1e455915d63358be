// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/receipt_audit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "aftune/receipt/tiny_receipt_testing.h"
#include "aftune/serve/tiny_server_testing.h"

namespace aftune::audit {
namespace {

using serve::testing::must;
using serve::testing::presented;
using serve::testing::sampled_ask;
using serve::testing::TinyServer;

const ByteBuffer kSecret(32, 9);

serve::Ask audited_ask(const char* prompt = "What is a receipt?") {
  serve::Ask ask = sampled_ask(prompt);
  ask.audit_sha256 = receipt::audit_secret_commitment(kSecret);
  return ask;
}

/// A server, one answer of it, and an auditor with the model.
struct Served {
  explicit Served(receipt::EdgeGrid grid = {1, 1}, serve::Ask ask = audited_ask())
      : tiny({}, grid),
        given(presented(tiny.issue(tiny.generate(tiny.task(std::move(ask)))))),
        model(must(open_audited_model(tiny.folder, tiny.pool))) {}

  TinyServer tiny;
  receipt::Presented given;
  AuditedModel model;

  [[nodiscard]] ReceiptAuditRequest request() const {
    ReceiptAuditRequest out{given, {tiny.key.public_key(), {}, nullptr, {}, {}}, model};
    out.openings = tiny.log.folder();
    return out;
  }
  [[nodiscard]] ReceiptVerdict audit(const ReceiptAuditRequest& asked) const {
    return must(audit_receipt(asked, tiny.engine));
  }
  [[nodiscard]] Path object(std::size_t edge) const {
    return must(trace::Store::open(tiny.log.folder().store(), trace::Store::Open::kExisting))
        .path_of(given.receipt.body.edges[edge - 1]);
  }
};

std::string told(const ReceiptVerdict& verdict) { return receipt_verdict_text(verdict); }

TEST(ReceiptAudit, AcceptsAnHonestAnswerByAllBlocks) {
  const Served served;
  ReceiptAuditRequest request = served.request();
  request.all = true;
  const ReceiptVerdict verdict = served.audit(request);
  EXPECT_EQ(verdict.outcome, Outcome::kAccept) << told(verdict);
  EXPECT_EQ(verdict.blocks.size(), 5U);
  EXPECT_EQ(verdict.decisions, served.given.answer.output.size());
  EXPECT_NE(told(verdict).find("training   not audited"), std::string::npos);
}

TEST(ReceiptAudit, AcceptsWhateverTheRequestAsks) {
  std::vector<serve::Ask> asks(4, audited_ask());
  asks[0].sampling = {};
  asks[1].seed = 77;
  asks[2].nonce.reset();  // unbound
  asks[3].input = std::vector<receipt::ChatMessage>{{"user", "Hello"}};
  asks[3].stop = {"zzz"};
  for (const serve::Ask& ask : asks) {
    const Served served({2, 1}, ask);
    ReceiptAuditRequest request = served.request();
    request.all = true;
    const ReceiptVerdict verdict = served.audit(request);
    EXPECT_EQ(verdict.outcome, Outcome::kAccept) << told(verdict);
  }
}

TEST(ReceiptAudit, DrawsBySecretAndLeaf) {
  const Served served;
  const Digest leaf = served.given.receipt.leaf();
  auto order = draw_layer_blocks(kSecret, leaf, 40);
  EXPECT_NE(order, draw_layer_blocks(ByteBuffer(32, 8), leaf, 40));
  EXPECT_NE(order, draw_layer_blocks(kSecret, Digest(), 40));
  std::sort(order.begin(), order.end());
  for (std::uint32_t b = 0; b < 40; ++b) EXPECT_EQ(order[b], b);

  ReceiptAuditRequest request = served.request();
  request.secret = kSecret;
  request.draw_count = 2;
  const ReceiptVerdict verdict = served.audit(request);
  EXPECT_EQ(verdict.outcome, Outcome::kAccept) << told(verdict);
  auto drawn = draw_layer_blocks(kSecret, leaf, 5);
  drawn.resize(2);
  std::sort(drawn.begin(), drawn.end());
  ASSERT_EQ(verdict.blocks.size(), 2U);
  EXPECT_EQ(verdict.blocks[0].layer_block, drawn[0]);
  EXPECT_EQ(verdict.blocks[1].layer_block, drawn[1]);
  request.secret = ByteBuffer(32, 8);
  EXPECT_FALSE(audit_receipt(request, served.tiny.engine));
}

TEST(ReceiptAudit, WhatProvesTooLittleIsInconclusive) {
  const Served served;
  ReceiptAuditRequest head_only = served.request();
  EXPECT_EQ(served.audit(head_only).outcome, Outcome::kInconclusive);
  ReceiptAuditRequest by_hand = served.request();
  by_hand.blocks = {3, 1, 3};
  const ReceiptVerdict verdict = served.audit(by_hand);
  EXPECT_EQ(verdict.outcome, Outcome::kInconclusive) << told(verdict);
  EXPECT_EQ(verdict.blocks.size(), 2U);
  by_hand.blocks = {5};
  EXPECT_FALSE(audit_receipt(by_hand, served.tiny.engine));

  serve::Ask uncommitted = audited_ask();
  uncommitted.audit_sha256.reset();
  const Served other({1, 1}, uncommitted);
  ReceiptAuditRequest steered = other.request();
  steered.secret = kSecret;
  EXPECT_EQ(other.audit(steered).outcome, Outcome::kInconclusive);
}

TEST(ReceiptAudit, WithoutTheServersSecretItsSeedIsNotChecked) {
  const Served served;
  ReceiptAuditRequest request = served.request();
  request.all = true;
  request.openings.reset();
  const ReceiptVerdict verdict = served.audit(request);
  EXPECT_EQ(verdict.outcome, Outcome::kInconclusive) << told(verdict);
  EXPECT_TRUE(verdict.findings.empty());
  ASSERT_EQ(verdict.unchecked.size(), 1U);
}

TEST(ReceiptAudit, MakesEdgesThatAreNotThereAgain) {
  for (const std::uint32_t interval : {1U, 2U, 3U, 9U}) {
    const Served served({1, interval});
    for (std::uint32_t block = 0; block < 5; ++block) {
      ReceiptAuditRequest request = served.request();
      request.blocks = {block};
      const ReceiptVerdict verdict = served.audit(request);
      EXPECT_TRUE(verdict.findings.empty()) << told(verdict);
      // Down to the next edge that the grid stores.
      EXPECT_EQ(verdict.blocks.size(), 1 + block % interval) << interval << ", " << block;
      EXPECT_EQ(verdict.not_handed_over, 0U);
    }
  }
}

TEST(ReceiptAudit, WhatTheServerKeepsBackIsMadeAgain) {
  const Served served;
  std::filesystem::remove(served.object(2));
  std::filesystem::remove(served.object(5));  // the head's
  ReceiptAuditRequest request = served.request();
  request.blocks = {2};
  const ReceiptVerdict verdict = served.audit(request);
  EXPECT_TRUE(verdict.findings.empty()) << told(verdict);
  EXPECT_EQ(verdict.blocks.size(), 3U);  // 1 for edge 2, 2, and 4 for the head
  EXPECT_EQ(verdict.not_handed_over, 2U);
  std::filesystem::remove_all(served.tiny.log.folder().store());
  request.blocks = {};
  request.all = true;
  EXPECT_EQ(served.audit(request).outcome, Outcome::kAccept);
}

TEST(ReceiptAudit, AnObjectWithOtherBytesIsFound) {
  const Served served;
  for (const std::uint32_t edge : {2U, 5U}) {  // what enters block 2, and the head
    const Path file = served.object(edge);
    ByteBuffer bytes = must(read_file(file, 1 << 20));
    const ByteBuffer kept = bytes;
    bytes[7] ^= 1;
    ASSERT_TRUE(write_file(file, bytes));
    ReceiptAuditRequest request = served.request();
    request.blocks = {edge == 5 ? 0U : edge};
    const ReceiptVerdict verdict = served.audit(request);
    EXPECT_EQ(verdict.outcome, Outcome::kReject) << told(verdict);
    ASSERT_FALSE(verdict.findings.empty());
    EXPECT_EQ(verdict.findings[0].check, receipt::ReceiptCheck::kOpening);
    ASSERT_TRUE(write_file(file, kept));
  }
}

TEST(ReceiptAudit, AnotherModelThanTheStatedOneIsFoundWithoutReplay) {
  Served served;
  serve::testing::TinyModel other;
  other.seed = 2;
  const Path folder = receipt::testing::make_tiny_model(served.tiny.root, "other", other);
  const AuditedModel model = must(open_audited_model(folder, served.tiny.pool));
  ReceiptAuditRequest request{
      served.given, {served.tiny.key.public_key(), {}, nullptr, {}, {}}, model};
  request.openings = served.tiny.log.folder();
  request.all = true;
  const ReceiptVerdict verdict = served.audit(request);
  EXPECT_EQ(verdict.outcome, Outcome::kReject);
  EXPECT_EQ(verdict.findings.front().check, receipt::ReceiptCheck::kModelRoot);
  EXPECT_TRUE(verdict.blocks.empty());
}

TEST(ReceiptAudit, AFolderWithTheWeightsButOtherFilesBesideThemIsFound) {
  const std::function<void(receipt::ServedModel&)> changes[] = {
      [](receipt::ServedModel& model) { model.folder.config.rms_norm_eps *= 2; },
      [](receipt::ServedModel& model) { model.companions.front().sha256.bytes[0] ^= 1; },
      [](receipt::ServedModel& model) { model.chat = receipt::ChatTemplate::kLlama3; },
      [](receipt::ServedModel& model) { model.eos.push_back(250); }};
  for (const auto& change : changes) {
    Served served;
    change(served.model.model);
    ReceiptAuditRequest request = served.request();
    request.all = true;
    const ReceiptVerdict verdict = served.audit(request);
    EXPECT_EQ(verdict.outcome, Outcome::kReject);
    ASSERT_FALSE(verdict.findings.empty());
    EXPECT_EQ(verdict.findings.front().check, receipt::ReceiptCheck::kModelRoot);
  }
}

TEST(ReceiptAudit, ASaltedRootWithoutItsSaltIsInconclusive) {
  serve::Ask ask = audited_ask();
  ask.seed = 77;  // the server's secret is not needed
  Served served({1, 1}, ask);
  receipt::Receipt& receipt = served.given.receipt;
  receipt.statement.model_salted = true;
  receipt.statement.model_root =
      trace::model_root(served.model.tensors, crypto::sha256(as_bytes("salt")));
  receipt.body.statement = receipt.statement.digest();
  receipt.body.position = 1;
  receipt::testing::log_anew(served.given);
  ReceiptAuditRequest request = served.request();
  request.all = true;
  request.openings.reset();
  const ReceiptVerdict verdict = served.audit(request);
  EXPECT_EQ(verdict.outcome, Outcome::kInconclusive) << told(verdict);
  ASSERT_EQ(verdict.unchecked.size(), 1U);
  EXPECT_NE(verdict.unchecked[0].find("salt"), std::string::npos);
}

TEST(ReceiptAudit, StatementSaysWhatWasChecked) {
  const Served served;
  ReceiptAuditRequest request = served.request();
  request.all = true;
  request.training = TrainingVerdict{Digest(), "ACCEPT", Digest()};
  const codec::Json json = receipt_verdict_statement(served.audit(request));
  const codec::Json* predicate = json.find("predicate");
  ASSERT_NE(predicate, nullptr);
  EXPECT_EQ(*predicate->find("outcome")->string(), "ACCEPT");
  EXPECT_EQ(*predicate->find("drawn_by")->string(), "all");
  EXPECT_EQ(*predicate->find("seed")->string(), "server");
  EXPECT_EQ(*predicate->find("training")->find("outcome")->string(), "ACCEPT");
  EXPECT_EQ(predicate->find("blocks")->array()->size(), 5U);
  EXPECT_NE(codec::canonical_json(json).find(served.given.receipt.leaf().hex()), std::string::npos);
}

}  // namespace
}  // namespace aftune::audit
