// SPDX-License-Identifier: Apache-2.0
// A7: a client's own mistake, or its own trouble, never makes an honest provider look guilty.
#include <gtest/gtest.h>

#include "aftune/codec/dsse.h"
#include "expect_verdict.h"
#include "finished_run.h"

namespace aftune::liar {
namespace {

const World& mistaken_grid() { return world(untied()); }

Result<audit::Verdict> audited(const std::function<void(audit::AuditRequest&)>& change) {
  audit::AuditRequest request = mistaken_grid().all_blocks(mistaken_grid().honest_run());
  change(request);
  return audit::audit_run(request, engine());
}

void expect_error(const std::function<void(audit::AuditRequest&)>& change, const char* names) {
  const auto verdict = audited(change);
  ASSERT_FALSE(verdict) << audit::verdict_text(*verdict);
  EXPECT_NE(verdict.error().what.find(names), std::string::npos) << verdict.error().what;
}

TEST(ClientMistakes, WrongNamesAreErrorsOfTheRequest) {
  expect_error([](auto& r) { r.run.root = scratch() / "nowhere"; }, "nowhere is not a folder");
  expect_error([](auto& r) { r.delivered = scratch() / "nowhere"; }, "nowhere is not a folder");
  expect_error([](auto& r) { r.data = scratch() / "nowhere.jsonl"; }, "nowhere.jsonl");
  expect_error(
      [](auto& r) {
        r.secret = scratch() / "nowhere.secret";
        r.all = false;
      },
      "nowhere.secret");
  expect_error(
      [](auto& r) {
        r.all = false;
        r.blocks = {{2, 0}};
      },
      "block 2,0 is outside the grid");
}

TEST(ClientMistakes, AnotherDataSetOrSecretIsAnErrorOfTheRequest) {
  Terms poisoned = untied();
  poisoned.poisoned = true;
  expect_error([&](auto& r) { r.data = world(poisoned).data(); }, "the contract's data set has");
  const Path secret = fresh_path("secret");
  replace(secret, std::string(64, '0') + "\n");
  expect_error(
      [&](auto& r) {
        r.secret = secret;
        r.all = false;
      },
      "is not the secret that this contract commits to");
  replace(secret, "not hex");
  expect_error(
      [&](auto& r) {
        r.secret = secret;
        r.all = false;
      },
      "secret");
}

TEST(ClientMistakes, ABrokenNoteBesideTheSecretIsAnErrorOfTheRequest) {
  const Path secret = mistaken_grid().fresh_secret();
  Path note = secret;
  note += ".checkpoint";
  replace(note, "not a note");
  expect_error(
      [&](auto& r) {
        r.secret = secret;
        r.all = false;
      },
      ".checkpoint");
}

TEST(ClientMistakes, ALostFileOfTheReceivedModelLeavesTheVerdictOpen) {
  const auto mine = fresh_path("received");
  std::filesystem::copy(mistaken_grid().honest_run().delivered(), mine);
  EXPECT_TRUE(accepted(must(audited([&](auto& r) { r.delivered = mine; }))));
  for (const char* name : {"model.safetensors", "tokenizer.json", "generation_config.json"}) {
    std::filesystem::remove(mine / name);
    EXPECT_TRUE(inconclusive(must(audited([&](auto& r) { r.delivered = mine; })), name)) << name;
  }
}

TEST(ClientMistakes, ADataSetThatTheRunLeavesOutIsAskedFor) {
  const auto run = mistaken_grid().copy_of_honest_run();
  std::filesystem::remove(run.data());
  audit::AuditRequest request = mistaken_grid().all_blocks(run);
  EXPECT_TRUE(inconclusive(must(audit::audit_run(request, engine())), "--data"));
  request.data = mistaken_grid().data();
  EXPECT_TRUE(accepted(must(audit::audit_run(request, engine()))));
}

TEST(ClientMistakes, BlocksNamedByHandThatHeldAcceptNothing) {
  const auto verdict = must(audited([](auto& r) {
    r.all = false;
    r.blocks = {{0, 0}, {1, 2}};
  }));
  EXPECT_TRUE(inconclusive(verdict, "chosen by hand"));
  EXPECT_TRUE(inconclusive(must(audited([](auto& r) { r.all = false; })), "no block was replayed"));
}

TEST(ClientMistakes, OneBlockNamedManyTimesIsOneBlock) {
  const auto verdict = must(audited([](auto& r) {
    r.all = false;
    r.blocks.assign(6, {0, 0});
  }));
  EXPECT_TRUE(inconclusive(verdict, "chosen by hand"));
}

TEST(ClientMistakes, AContractWithoutBothSignaturesIsNone) {
  const auto whole = must(codec::decode_dsse(mistaken_grid().envelope().envelope,
                                             trace::kContractPayloadType, 1U << 20));
  for (std::size_t i = 0; i < 2; ++i) {
    codec::Dsse one = whole;
    one.signatures.erase(one.signatures.begin() + static_cast<std::ptrdiff_t>(i));
    const auto opened = trace::open_signed_contract(codec::encode_dsse(one));
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().what.find("no valid signature of the"), std::string::npos);
  }
}

}  // namespace
}  // namespace aftune::liar
