// SPDX-License-Identifier: Apache-2.0
#include "aftune/serve/serving_log.h"

#include <gtest/gtest.h>

#include "aftune/serve/tiny_server_testing.h"
#include "aftune/tlog/tiles.h"

namespace aftune::serve {
namespace {

using testing::presented;
using testing::sampled_ask;
using testing::TinyServer;

/// A folder whose server is gone.
struct Place {
  model::testing::TempFolder root;
  ThreadPool pool{1};
  receipt::ServedModel model =
      testing::must(receipt::open_served_model(receipt::testing::make_tiny_model(root, "model")));
  crypto::PrivateKey key = testing::server_key();
  receipt::Statement statement = receipt::testing::tiny_statement(model, pool);

  [[nodiscard]] Result<ServingLog> open() const {
    return ServingLog::open(root / "serving", statement, key, std::nullopt);
  }
  [[nodiscard]] receipt::ServingFolder folder() const { return {root / "serving"}; }
};

/// An answer that no model gave: the log does not mind.
Generated made_up(const char* id) {
  Generated out;
  out.task.id = id;
  out.task.input = std::string("p");
  out.task.prompt = {'p'};
  out.task.request.max_tokens = 1;
  out.task.request.input = receipt::input_digest(out.task.salt, out.task.input);
  out.output = {'q'};
  out.text = "q";
  out.edges.resize(3);
  return out;
}

std::vector<Generated> made_up(std::initializer_list<const char*> ids) {
  std::vector<Generated> out;
  for (const char* id : ids) out.push_back(made_up(id));
  return out;
}

receipt::Expected expected_of(const Place& place) {
  return {place.key.public_key(), {}, nullptr, {}, {}};
}

TEST(ServingLog, GivesReceiptsThatHold) {
  TinyServer server;
  const Receipted given = server.issue(server.generate(server.task(sampled_ask("What is a log?"))));
  const receipt::Presented got = presented(given);
  const auto findings = receipt::check_receipt(
      got, {server.key.public_key(), server.statement().model_root, nullptr, {}, {}});
  EXPECT_TRUE(findings.empty()) << findings.front().message;
  EXPECT_EQ(got.receipt.body.position, 1U);
  EXPECT_EQ(got.receipt.body.seed.kind, receipt::SeedKind::kServer);
  EXPECT_EQ(got.answer.text_of_output, given.answer.text_of_output);
  // The edges are there, and the log's folder reads as any log.
  const auto store =
      testing::must(trace::Store::open(server.log.folder().store(), trace::Store::Open::kExisting));
  for (const Digest& edge : got.receipt.body.edges) EXPECT_TRUE(store.has(edge));
  const auto log = tlog::read_log(server.log.folder().log(),
                                  server.statement().log_key(server.key.public_key()));
  ASSERT_TRUE(log) << log.error().what;
  EXPECT_EQ(log->entries[0], server.statement().text());
  EXPECT_EQ(log->entries[1], got.receipt.entry());
}

TEST(ServingLog, SeveralShareACheckpoint) {
  const Place place;
  auto log = testing::must(place.open());
  const auto given = testing::must(log.issue(made_up({"a", "b", "c"})));
  ASSERT_EQ(given.size(), 3U);
  for (const Receipted& one : given) {
    EXPECT_TRUE(receipt::check_receipt(presented(one), expected_of(place)).empty());
    EXPECT_EQ(presented(one).proof.checkpoint_note, presented(given[0]).proof.checkpoint_note);
  }
  EXPECT_EQ(given[2].receipt.body.position, 3U);
  EXPECT_TRUE(testing::must(log.issue({})).empty());
}

TEST(ServingLog, GoesOnWhereAServerEnded) {
  const Place place;
  {
    auto log = testing::must(place.open());
    testing::must(log.issue(made_up({"a"})));
    EXPECT_FALSE(place.open());  // one server at a time
  }
  auto log = testing::must(place.open());
  EXPECT_EQ(log.size(), 2U);
  const auto given = testing::must(log.issue(made_up({"b"})));
  EXPECT_EQ(given[0].receipt.body.position, 2U);
  EXPECT_TRUE(receipt::check_receipt(presented(given[0]), expected_of(place)).empty());
}

TEST(ServingLog, AReceiptThatWasLoggedAndNotProvenIsProvenLater) {
  const Place place;
  const auto folder = place.folder();
  {
    auto log = testing::must(place.open());
    testing::must(log.issue(made_up({"a", "b"})));
  }
  std::filesystem::remove(folder.proof(1));
  std::filesystem::remove(folder.proof(2));
  testing::must(place.open());
  for (const std::uint64_t position : {1U, 2U}) {
    const auto text = testing::must(read_text_file(folder.receipt(position), 1 << 20));
    const auto receipt = testing::must(receipt::Receipt::parse(text));
    const auto proof = testing::must(
        tlog::decode_tlog_proof(testing::must(read_text_file(folder.proof(position), 1 << 20))));
    EXPECT_TRUE(tlog::verify_tlog_proof(proof, receipt.leaf(),
                                        receipt.statement.log_key(place.key.public_key())));
  }
}

TEST(ServingLog, RefusesAFolderThatServesSomethingElse) {
  Place place;
  testing::must(place.open());
  const receipt::Statement honest = place.statement;
  place.statement.grid.edge_interval = 2;
  const auto other = place.open();
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kInvalidInput);
  EXPECT_NE(other.error().what.find("states something else"), std::string::npos);
  place.statement = honest;
  place.key = testing::server_key(6);
  EXPECT_FALSE(place.open());
  place.key = testing::server_key();
  EXPECT_TRUE(place.open());
  // Another secret is another statement.
  std::filesystem::remove(place.folder().secret());
  EXPECT_FALSE(place.open());
}

TEST(ServingLog, KeepsItsSecretToItself) {
  const Place place;
  const auto log = testing::must(place.open());
  const auto mode = std::filesystem::status(place.folder().secret()).permissions();
  EXPECT_EQ(mode & (std::filesystem::perms::group_all | std::filesystem::perms::others_all),
            std::filesystem::perms::none);
  EXPECT_EQ(receipt::server_secret_commitment(log.secret().reveal()),
            log.statement().secret_sha256);
}

TEST(ServingLog, ADiskThatTakesNothingGivesNoReceipt) {
  const Place place;
  auto log = testing::must(place.open());
  std::filesystem::remove_all(place.folder().receipts());
  ASSERT_TRUE(write_file(place.folder().receipts(), as_bytes("in the way")));
  EXPECT_FALSE(log.issue(made_up({"a"})));
  EXPECT_EQ(log.size(), 1U);
}

}  // namespace
}  // namespace aftune::serve
