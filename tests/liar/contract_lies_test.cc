// SPDX-License-Identifier: Apache-2.0
// A run that keeps to other terms than the agreed ones, logged and signed under the agreed
// contract; and a log that is not this contract's.
#include <gtest/gtest.h>

#include "aftune/tlog/checkpoint.h"
#include "aftune/tlog/tiles.h"
#include "expect_verdict.h"
#include "finished_run.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

using trace::Contract;

Terms with(std::function<void(Contract&)> change, Terms terms = fine()) {
  terms.change = std::move(change);
  return terms;
}

audit::Verdict whole_run(const World& shown, const Terms& practised) {
  shown.honest_run();
  return shown.audit_blocks(shown_as(world(practised), shown), {});
}

TEST(ContractLies, T7FewerStepsThanAgreed) {
  Terms shorter = fine();
  shorter.steps = 4;
  EXPECT_TRUE(rejected_without_replay(whole_run(world(fine()), shorter),
                                      {"entry", "log entry 17", "entry 17 (step 4) is"}));
}

TEST(ContractLies, T7MoreStepsThanAgreed) {
  Terms longer = fine();
  longer.steps = 6;
  EXPECT_TRUE(rejected_without_replay(
      whole_run(world(fine()), longer),
      {"entry", "log entry 18", "the contract implies \"{\"aftune\":1,\"block\":0"}));
}

TEST(ContractLies, T7ARunThatNeverCloses) {
  const World& w = world(fine());
  for (const std::size_t entries : {1U, 3U, 9U, 22U}) {
    FinishedRun run(w, w.copy_of_honest_run());
    run.entries.resize(entries);
    run.sign();
    EXPECT_TRUE(inconclusive(w.audit_all(run.folder()), "the run is not closed yet")) << entries;
    audit::AuditRequest late = w.all_blocks(run.folder());
    late.now = must(trace::parse_utc("2100-01-01T00:00:01Z"));
    EXPECT_TRUE(rejected(must(audit::audit_run(late, engine())),
                         {"deadline", "whole run", "did not end by 2100-01-01T00:00:00Z"}))
        << entries;
  }
}

TEST(ContractLies, T9AnotherBaseModel) {
  const World& w = world(fine());
  Terms other = fine();
  other.model_seed = 2;
  const Cause cause{"base", "first state", "the contract's base has"};
  EXPECT_TRUE(rejected_without_replay(whole_run(w, other), cause));
  // Handing the agreed base over with it does not help.
  const auto run = shown_as(world(other), w);
  must(write_file(run.base() / "model.safetensors",
                  must(read_file(w.base() / "model.safetensors", 1U << 30))));
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(run, {}), cause));
}

TEST(ContractLies, T9AnotherPrivateBaseModelWithItsSalt) {
  Terms agreed = fine();
  agreed.base_public = false;
  Terms other = agreed;
  other.model_seed = 2;
  const World& w = world(agreed);
  EXPECT_TRUE(rejected_without_replay(whole_run(w, other), {"base", "first state", "root"}));
  FinishedRun run(w, w.copy_of_honest_run());
  replace(run.folder().root_salt(), std::string(64, '0') + "\n");
  EXPECT_TRUE(rejected(w.audit_all(run.folder()), {"base", "first state", "root"}));
}

TEST(ContractLies, T10AnotherOrder) {
  const Terms sorted = with([](Contract& c) { c.order.shuffle = "none"; });
  EXPECT_TRUE(rejected_without_replay(
      whole_run(world(fine()), sorted),
      {"data", "step 0", "rows 0 1 2 3 are committed, the agreed order gives"}));
}

TEST(ContractLies, T10AnotherSeedThanTheTwoNonces) {
  const Terms chosen = with([](Contract& c) {
    c.nonces.provider.bytes[0] ^= 1;
    c.nonces.provider_commitment = trace::nonce_commitment(c.nonces.provider);
  });
  EXPECT_TRUE(rejected_without_replay(whole_run(world(fine()), chosen),
                                      {"data", "step 0", "the agreed order gives"}));
}

TEST(ContractLies, T10AnotherDataSet) {
  const World& w = world(fine());
  Terms poisoned = fine();
  poisoned.poisoned = true;
  EXPECT_TRUE(rejected_without_replay(whole_run(w, poisoned),
                                      {"data", "data, tokenizer or tables", "has root"}));
  // With the client's own copy the replay shows it.
  audit::AuditRequest request = w.all_blocks(shown_as(world(poisoned), w));
  request.data = w.data();
  EXPECT_TRUE(rejected(must(audit::audit_run(request, engine())),
                       {"activation", "layer block 0, step block 0", "edge 1, step 0"}));
}

TEST(ContractLies, T13OptimizerConstantsOtherThanAgreed) {
  Terms agreed = fine();
  agreed.steps_per_block = 1;
  const World& w = world(agreed);
  const Terms practised = with([](Contract& c) { c.training.optimizer.beta2 = 0.99; }, agreed);
  EXPECT_TRUE(rejected(w.audit_all(shown_as(world(practised), w)),
                       {"state", "layer block 0, step block 0", "of state of layer block 0"}));
}

TEST(ContractLies, T6ScheduleOtherThanAgreed) {
  const Terms practised = with([](Contract& c) { c.training.schedule.peak = 0; });
  EXPECT_TRUE(rejected_without_replay(whole_run(world(fine()), practised),
                                      {"rule", "step 0", "learning rate 0 is committed"}));
}

TEST(ContractLies, T14NoClipping) {
  const Terms practised = with([](Contract& c) { c.training.clip.max_norm = 0; });
  EXPECT_TRUE(rejected_without_replay(whole_run(world(fine()), practised),
                                      {"rule", "step 0", "clip factor 1 is committed"}));
}

TEST(ContractLies, T20APractisedGridOtherThanAgreed) {
  const World& w = world(fine());
  struct Case {
    std::function<void(Contract&)> change;
    Cause cause;
  };
  const Case cases[] = {
      {[](Contract& c) { c.grid.layers_per_block = 2; },
       {"entry", "log entry 3", "state of layer block 2 at step block 0"}},
      {[](Contract& c) { c.grid.steps_per_block = 3; },
       {"entry", "log entry 7", "state of layer block 0 at step block 1"}},
      {[](Contract& c) { c.batch.micro_batch = 2; },
       {"list", "step 0", "2 losses and 4 rows, the contract implies 1 and 4"}},
  };
  for (const Case& c : cases) {
    EXPECT_TRUE(rejected_without_replay(whole_run(w, with(c.change)), c.cause));
  }
  const Terms sparse = with([](Contract& c) { c.grid.state_interval = 2; });
  const auto spared = w.audit_all(shown_as(world(sparse), w));
  EXPECT_TRUE(accepted(spared)) << "what was computed is what was agreed";
  EXPECT_GT(spared.not_handed_over, 0U) << "but not all that was to be kept was kept";
}

TEST(ContractLies, T20WhatTheProviderSaysAboutItsRunIsIgnored) {
  const World& w = world(fine());
  Terms other = fine();
  other.layers_per_block = 4;
  other.steps_per_block = 5;
  const auto run = w.copy_of_honest_run();
  replace(run.contract(), world(other).envelope().envelope);
  replace(run.metrics(), R"({"hash":"md5","chunk_bytes":1})");
  replace(run.root / "metadata.json", R"({"grid":{"layers_per_block":4}})");
  EXPECT_TRUE(accepted(w.audit_all(run)));
}

TEST(ContractLies, T30AnotherTemplateLabelsOrLength) {
  const World& w = world(fine());
  const Terms labels = with([](Contract& c) { c.text.labels = "all"; });
  EXPECT_TRUE(rejected_without_replay(whole_run(w, labels),
                                      {"data", "step 0", "counted tokens are committed"}));
  const Terms length = with([](Contract& c) { c.text.sequence = 12; });
  EXPECT_TRUE(rejected_without_replay(whole_run(w, length), {"list", "step 0", "[48,16]"}));
  const Terms text = with([](Contract& c) { c.text.before_prompt = "<|im_end|>"; });
  EXPECT_TRUE(rejected(w.audit_all(shown_as(world(text), w)),
                       {"activation", "layer block 0, step block 0", "edge 1, step 0"}));
}

TEST(ContractLies, T32TheLogOfAnotherContract) {
  const World& w = world(fine());
  Terms second = fine();
  second.run = 9;
  const World& other = world(second);
  const auto as_it_is = other.copy_of_honest_run();
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(as_it_is, {}),
                                      {"log", "log", other.contract().origin()}));
  FinishedRun signed_anew(other, other.copy_of_honest_run());
  signed_anew.sign(w);  // its entry 0 still tells
  EXPECT_TRUE(rejected_without_replay(
      w.audit_blocks(signed_anew.folder(), {}),
      {"entry", "log entry 0", "the log was started for another contract"}));
}

TEST(ContractLies, ALogByAnotherKey) {
  const World& w = world(fine());
  Terms stranger = fine();
  stranger.provider_key = 7;
  FinishedRun run(w, w.copy_of_honest_run());
  const World& other = world(stranger);
  std::filesystem::remove_all(run.folder().log());
  auto log =
      must(tlog::LogWriter::open(run.folder().log(), w.contract().origin(), other.provider_key()));
  for (const std::string& entry : run.entries) must(log.append(entry));
  must(log.sign());
  EXPECT_TRUE(rejected(w.audit_all(run.folder()), {"log", "log", "not one valid signature of"}));
}

TEST(ContractLies, T33ASecondCloseAfterTheDraw) {
  const World& w = world(fine());
  const Path secret = w.fresh_secret();
  EXPECT_TRUE(accepted(w.audit_drawn(w.honest_run(), secret)));
  FinishedRun run(w, w.copy_of_honest_run());
  run.edit_list(run.timeline().position_of_close(),
                [](auto& list) { list["_salt"] = std::string(64, 'a'); });
  run.sign();
  EXPECT_TRUE(accepted(w.audit_drawn(run.folder(), w.fresh_secret()))) << "it is honest otherwise";
  const auto verdict = w.audit_drawn(run.folder(), secret);
  EXPECT_TRUE(
      rejected_without_replay(verdict, {"log", "final checkpoint", "for which blocks were drawn"}));
}

TEST(ContractLies, T33SignatureLinesDoNotSteerTheDraw) {
  const World& w = world(fine());
  const auto run = w.copy_of_honest_run();
  const Path note = run.log() / "checkpoint";
  auto decoded = must(tlog::decode_note(must(read_text_file(note, 1U << 16))));
  decoded.sign(w.provider_key(), "another.example/name");
  replace(note, tlog::encode_note(decoded));
  std::filesystem::remove(run.log() / "checkpoints" / std::to_string(23));
  const Path secret = w.fresh_secret();
  const auto honest = w.audit_drawn(w.honest_run(), secret);
  const auto verdict = w.audit_drawn(run, secret);
  EXPECT_TRUE(accepted(verdict));
  ASSERT_EQ(verdict.blocks.size(), honest.blocks.size());
  for (std::size_t i = 0; i < honest.blocks.size(); ++i) {
    EXPECT_EQ(verdict.blocks[i].layer_block, honest.blocks[i].layer_block);
    EXPECT_EQ(verdict.blocks[i].step_block, honest.blocks[i].step_block);
  }
}

TEST(ContractLies, T33ExtensionLinesAreRefused) {
  const World& w = world(fine());
  const auto run = w.copy_of_honest_run();
  const Path note = run.log() / "checkpoint";
  tlog::SignedNote longer{
      must(tlog::decode_note(must(read_text_file(note, 1U << 16)))).text + "draw me\n", {}};
  longer.sign(w.provider_key(), w.contract().origin());
  replace(note, tlog::encode_note(longer));
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(run, {}), {"log", "log", "checkpoint"}));
}

}  // namespace
}  // namespace aftune::liar
