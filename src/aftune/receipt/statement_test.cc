// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/statement.h"

#include <gtest/gtest.h>

#include "aftune/crypto/sha256.h"
#include "aftune/receipt/tiny_served_testing.h"
#include "aftune/tlog/merkle.h"
#include "aftune/tlog/tlog_proof.h"
#include "aftune/trace/finished_run_testing.h"

namespace aftune::receipt {
namespace {

using codec::Json;

Digest statement_digest(std::string_view text) { return crypto::sha256(as_bytes(text)); }

Statement full_statement() {
  Statement out;
  out.architecture = testing::tiny_served_config({});
  out.model_root = statement_digest("root");
  out.model_salted = true;
  out.companions = {{"aftune.safetensors", 5, statement_digest("a")},
                    {"tokenizer.json", 7, statement_digest("t")}};
  out.chat = ChatTemplate::kSmollm2;
  out.eos = {2, 257};
  out.grid = {2, 3};
  out.secret_sha256 = statement_digest("secret");
  out.training = TrainedBy{statement_digest("contract"), "{}", "proof\n"};
  return out;
}

TEST(Statement, HasOneSpelling) {
  Statement untrained = full_statement();
  untrained.training.reset();
  for (const Statement& statement : {full_statement(), untrained}) {
    const auto back = Statement::parse(statement.text());
    ASSERT_TRUE(back) << back.error().what;
    EXPECT_EQ(*back, statement);
    EXPECT_EQ(back->digest(), statement_digest(statement.text()));
  }
  EXPECT_NE(full_statement().digest(), untrained.digest());
  EXPECT_FALSE(Statement::parse(full_statement().text() + " "));
}

TEST(Statement, MembersThatAreWrongAreNamed) {
  const Json bad_file = Json::Object{
      {"path", Json("../x")}, {"sha256", Json(statement_digest("x").hex())}, {"size", Json(1)}};
  const struct {
    const char* named;
    Json value;
  } lies[] = {{"aftune", Json(2)},
              {"kind", Json("receipt")},
              {"position", Json(1)},
              {"model_root", Json("x")},
              {"model_salted", Json(0)},
              {"template", Json("vicuna")},
              {"eos", Json(Json::Array{Json(3), Json(3)})},
              {"eos", Json(Json::Array{Json(258)})},
              {"companions", Json(Json::Array{bad_file})},
              {"grid", Json(Json::Object{{"edge_interval", Json(1)}})},
              {"arithmetic", Json(Json::Object{{"profile", Json("stock")}, {"version", Json(1)}})},
              {"training", Json(Json::Object{{"contract", Json("")}})},
              {"witnesses", Json("none")}};
  for (const auto& lie : lies) {
    Json json = full_statement().json();
    (*json.object())[lie.named] = lie.value;
    const auto parsed = Statement::read(json);
    ASSERT_FALSE(parsed) << lie.named;
  }
  const Json whole = full_statement().json();
  for (const auto& [name, value] : *whole.object()) {
    Json json = whole;
    json.object()->erase(name);
    const auto parsed = Statement::read(json);
    ASSERT_FALSE(parsed) << name;
    EXPECT_NE(parsed.error().what.find(name), std::string::npos) << parsed.error().what;
  }
}

TEST(Statement, CutsLayersIntoBlocksWithTheHeadApart) {
  const auto blocks = full_statement().layer_blocks();  // 5 layers, 2 a block
  ASSERT_EQ(blocks.size(), 3U);
  EXPECT_TRUE(blocks[0].embeds);
  EXPECT_FALSE(blocks[1].embeds);
  EXPECT_EQ(blocks[2].first_layer, 4U);
  EXPECT_EQ(blocks[2].layer_count, 1U);
  for (const auto& block : blocks) EXPECT_FALSE(block.heads);
}

TEST(Statement, StoresEdgesByTheGridAndTheHeadsAlways) {
  Statement statement = full_statement();
  statement.grid = {1, 2};  // 5 blocks
  std::vector<std::uint32_t> stored;
  for (std::uint32_t edge = 1; edge <= 5; ++edge) {
    if (statement.edge_stored(edge)) stored.push_back(edge);
  }
  EXPECT_EQ(stored, (std::vector<std::uint32_t>{2, 4, 5}));
}

/// The closing entry of the tiny run, as a server states it.
Statement trained() {
  const auto& job = trace::testing::finished_job();
  const trace::RunFolder run = job.run();
  const auto log = job.log(run);
  const trace::Timeline timeline(job.contract());
  const std::uint64_t position = timeline.position_of_close();
  const Digest list = trace::testing::must(
      trace::decode_entry(log.entries[position], position, timeline.at(position)));
  const auto store =
      trace::testing::must(trace::Store::open(run.store(), trace::Store::Open::kExisting));
  tlog::TlogProof proof;
  proof.index = position;
  proof.path = trace::testing::must(tlog::inclusion_proof(log.leaf_hashes, position));
  proof.checkpoint_note = log.checkpoint_note;
  const ByteBuffer close = trace::testing::must(store.get(list, 1 << 20));
  Statement out = full_statement();
  out.training = TrainedBy{job.contract().digest(), std::string(as_text(close)),
                           tlog::encode_tlog_proof(proof)};
  out.model_root = trace::testing::must(trace::decode_close_list(out.training->close)).model_root;
  out.model_salted = !job.contract().base_public;
  return out;
}

TEST(Statement, TrainingIsTheRunThatTheContractClosed) {
  const auto& job = trace::testing::finished_job();
  const Status held = check_training(trained(), job.contract());
  EXPECT_TRUE(held) << held.error().what;
}

TEST(Statement, TrainingOfAnotherModelRunOrCloseIsRefused) {
  const auto& contract = trace::testing::finished_job().contract();
  const std::vector<std::pair<const char*, std::function<void(Statement&)>>> lies = {
      {"no training", [](Statement& s) { s.training.reset(); }},
      {"another root", [](Statement& s) { s.model_root.bytes[0] ^= 1; }},
      {"another salt", [](Statement& s) { s.model_salted = !s.model_salted; }},
      {"another contract", [](Statement& s) { s.training->contract.bytes[0] ^= 1; }},
      {"another close",
       [](Statement& s) {
         auto close = trace::testing::must(trace::decode_close_list(s.training->close));
         close.model_root.bytes[0] ^= 1;
         s.model_root = close.model_root;
         s.training->close = trace::encode_list(close);
       }},
      {"an entry before the close",
       [](Statement& s) {
         auto proof = trace::testing::must(tlog::decode_tlog_proof(s.training->proof));
         --proof.index;
         s.training->proof = tlog::encode_tlog_proof(proof);
       }},
      {"no proof", [](Statement& s) { s.training->proof.clear(); }}};
  for (const auto& [name, lie] : lies) {
    Statement statement = trained();
    lie(statement);
    EXPECT_FALSE(check_training(statement, contract)) << name;
  }
}

}  // namespace
}  // namespace aftune::receipt
