// SPDX-License-Identifier: Apache-2.0
#include "aftune/serve/server.h"

#include <gtest/gtest.h>

#include <future>

#include "aftune/serve/tiny_server_testing.h"

namespace aftune::serve {
namespace {

using testing::sampled_ask;
using testing::TinyServer;

ServerParts parts_of(TinyServer& tiny) {
  return {tiny.engine, tiny.decoder, tiny.model.tokenizer, tiny.log};
}

/// Submits and gives a future of the end.
std::future<Result<Receipted>> ask_for(Server& server, Ask ask) {
  auto promise = std::make_shared<std::promise<Result<Receipted>>>();
  auto future = promise->get_future();
  const auto ticket =
      server.submit(std::move(ask),
                    {{}, [promise](Result<Receipted> one) { promise->set_value(std::move(one)); }});
  if (!ticket) promise->set_value(ticket.error());
  return future;
}

TEST(Server, AnswersManyWithReceiptsThatHold) {
  TinyServer tiny;
  std::vector<std::future<Result<Receipted>>> answers;
  ServerCounts counts;
  {
    Server server(parts_of(tiny), {});
    for (int i = 0; i < 9; ++i) {
      answers.push_back(
          ask_for(server, sampled_ask(std::string(static_cast<std::size_t>(1 + 3 * i), 'a'), 8)));
    }
    server.stop();
    counts = server.counts();
  }
  std::set<std::uint64_t> positions;
  for (auto& answer : answers) {
    const auto given = answer.get();
    ASSERT_TRUE(given) << given.error().what;
    const auto findings = receipt::check_receipt(testing::presented(*given),
                                                 {tiny.key.public_key(), {}, nullptr, {}, {}});
    EXPECT_TRUE(findings.empty());
    positions.insert(given->receipt.body.position);
  }
  EXPECT_EQ(positions.size(), 9U);
  EXPECT_EQ(counts.taken, 9U);
  EXPECT_EQ(counts.receipted, 9U);
  EXPECT_EQ(counts.open, 0U);
  EXPECT_EQ(counts.output_tokens, 72U);
  EXPECT_EQ(counts.failed + counts.refused + counts.cancelled, 0U);
}

TEST(Server, RefusesWhatCannotBeAnsweredAtOnce) {
  TinyServer tiny;
  Server server(parts_of(tiny), {{}, 2});
  Ask no_prompt = sampled_ask("");
  Ask hot = sampled_ask("a");
  hot.sampling.temperature = -1;
  Ask none = sampled_ask("a", 0);
  Ask name = sampled_ask("a");
  name.id = "../x";
  Ask stops = sampled_ask("a");
  stops.stop = {""};
  for (Ask& lie : std::vector<Ask>{no_prompt, hot, none, name, stops}) {
    const auto given = ask_for(server, std::move(lie)).get();
    ASSERT_FALSE(given);
    EXPECT_EQ(given.error().code, Code::kInvalidInput);
  }
  EXPECT_EQ(server.counts().refused, 5U);
  EXPECT_EQ(server.counts().taken, 0U);
}

TEST(Server, AFullQueueRefusesAndAStoppedServerToo) {
  TinyServer tiny;
  Server server(parts_of(tiny), {{1, 8}, 2});
  // The first waits in its first token until the others have come.
  std::promise<void> go;
  auto gate = go.get_future().share();
  const Hearer slow{[gate](const Progress&) { gate.wait(); }, {}};
  ASSERT_TRUE(server.submit(sampled_ask("a"), slow));
  auto second = ask_for(server, sampled_ask("b"));
  const auto third = ask_for(server, sampled_ask("c")).get();
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::kUnavailable);
  EXPECT_EQ(third.error().what, "2 requests wait, at most 2");
  go.set_value();
  EXPECT_TRUE(second.get());
  server.stop();
  const auto late = ask_for(server, sampled_ask("d")).get();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().what, "the server stops");
}

TEST(Server, ACancelledRequestGetsNoReceipt) {
  TinyServer tiny;
  Server server(parts_of(tiny), {});
  std::promise<void> begun;
  bool told = false, ended = false;
  const auto ticket =
      server.submit(sampled_ask("a", 280), {[&](const Progress&) {
                                              if (!told) begun.set_value();
                                              told = true;
                                            },
                                            [&](const Result<Receipted>&) { ended = true; }});
  ASSERT_TRUE(ticket);
  begun.get_future().wait();
  server.cancel(*ticket);
  server.cancel(12345);
  server.stop();
  // It may have come to its end before it was cancelled; then it has a receipt.
  EXPECT_EQ(server.counts().cancelled + server.counts().receipted, 1U);
  EXPECT_EQ(ended, server.counts().receipted == 1);
  EXPECT_EQ(tiny.log.size(), 1 + server.counts().receipted);
}

TEST(Server, TheLastTokenIsToldToBeTheLast) {
  TinyServer tiny;
  Server server(parts_of(tiny), {});
  std::vector<bool> last;
  std::string text;
  std::promise<std::string> whole;
  ASSERT_TRUE(server.submit(sampled_ask("a", 5), {[&](const Progress& one) {
                                                    last.push_back(one.last);
                                                    text += one.new_text;
                                                  },
                                                  [&](Result<Receipted> one) {
                                                    whole.set_value(one ? one->answer.text_of_output
                                                                        : "none");
                                                  }}));
  EXPECT_EQ(whole.get_future().get(), text);
  EXPECT_EQ(last, (std::vector<bool>{false, false, false, false, true}));
}

TEST(Server, WithoutRecordingTheSameAnswersHaveNoReceipts) {
  TinyServer tiny;
  std::string with;
  {
    Server server(parts_of(tiny), {});
    with = ask_for(server, sampled_ask("a", 8)).get()->answer.text_of_output;
  }
  const std::uint64_t entries = tiny.log.size();
  ServerLimits limits;
  limits.recording = Recording::kOff;
  Server server(parts_of(tiny), limits);
  const auto given = ask_for(server, sampled_ask("a", 8)).get();
  ASSERT_TRUE(given);
  EXPECT_EQ(given->answer.text_of_output, with);
  EXPECT_EQ(given->receipt.body.output_tokens, 8U);
  EXPECT_EQ(given->receipt_text + given->proof_text, "");
  EXPECT_EQ(server.counts().unreceipted, 1U);
  EXPECT_EQ(server.counts().receipted, 0U);
  EXPECT_EQ(tiny.log.size(), entries);
}

TEST(Server, SaysWhyItTakesNothing) {
  TinyServer tiny;
  Server server(parts_of(tiny), {});
  EXPECT_EQ(server.refusing(), "");
  server.stop();
  EXPECT_EQ(server.refusing(), "the server stops");
}

TEST(Server, WithoutADiskItAnswersNobody) {
  TinyServer tiny;
  const Path receipts = tiny.log.folder().receipts();
  std::filesystem::remove_all(receipts);
  ASSERT_TRUE(write_file(receipts, as_bytes("in the way")));
  Server server(parts_of(tiny), {});
  const auto first = ask_for(server, sampled_ask("a", 2)).get();
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::kUnavailable);
  EXPECT_FALSE(ask_for(server, sampled_ask("b", 2)).get());
  EXPECT_EQ(server.refusing(), first.error().what);
  EXPECT_EQ(server.counts().failed, 1U);
  EXPECT_EQ(server.counts().refused, 1U);
}

}  // namespace
}  // namespace aftune::serve
