// SPDX-License-Identifier: Apache-2.0
#include "aftune/http/endpoint.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>
#include <vector>

#include "aftune/base/unique_fd.h"
#include "aftune/codec/json.h"
#include "aftune/http/http_server.h"
#include "aftune/http/loopback_testing.h"
#include "aftune/serve/tiny_server_testing.h"

namespace aftune::http {
namespace {

using codec::Json;
using serve::testing::TinyServer;

const Peer kThere(-1);

/// An endpoint over a tiny model.
struct Place {
  explicit Place(serve::ServerLimits limits = {}, EndpointLimits endpoint_limits = {})
      : server({tiny.engine, tiny.decoder, tiny.model.tokenizer, tiny.log}, limits),
        endpoint(server, {"tiny", "aa", "key", 7, 0}, endpoint_limits) {}

  TinyServer tiny;
  serve::Server server;
  Endpoint endpoint;

  Response post(const std::string& path, const std::string& body, Peer peer = kThere) {
    return endpoint.handle({"POST", path, body}, peer);
  }
  Response get(const std::string& path) { return endpoint.handle({"GET", path, {}}, kThere); }
};

/// A request that the model stays at, at its first token, until it may go on: what is asked
/// meanwhile cannot end before the test looks.
class Blocker {
 public:
  explicit Blocker(serve::Server& server) {
    EXPECT_TRUE(server.submit(serve::testing::sampled_ask("a"),
                              {[gate = gate_](const serve::Progress&) { gate.wait(); }, {}}));
  }
  void let_go() { go_.set_value(); }

 private:
  std::promise<void> go_;
  std::shared_future<void> gate_ = go_.get_future().share();
};

Json parsed(const std::string& text) {
  auto json = codec::parse_json(text, {});
  EXPECT_TRUE(json) << text;
  return json ? *std::move(json) : Json();
}

std::string text_of(const Json& json, std::string_view name) {
  const Json* member = json.find(name);
  EXPECT_TRUE(member != nullptr && member->string() != nullptr) << name;
  return member == nullptr || member->string() == nullptr ? "" : *member->string();
}

std::string code_of(const Response& response) {
  const Json json = parsed(response.body);
  const Json* error = json.find("error");
  return error == nullptr ? "no error: " + response.body : text_of(*error, "code");
}

/// All findings against a receipt, for the client that sent `body`.
std::vector<receipt::ReceiptFinding> check(const Place& place, const Json& answer,
                                           const std::string& body) {
  const Json& given = *answer.find("aftune_receipt");
  const receipt::Presented presented{
      serve::testing::must(receipt::Receipt::parse(text_of(given, "receipt"))),
      serve::testing::must(tlog::decode_tlog_proof(text_of(given, "proof"))),
      serve::testing::must(receipt::Answer::parse(text_of(given, "answer")))};
  const auto asked = serve::testing::must(receipt::read_openai_body(body));
  receipt::Request request = asked.request;
  request.input = receipt::input_digest(presented.answer.salt, asked.input);
  EXPECT_EQ(text_of(given, "request"),
            codec::canonical_json(presented.receipt.body.request.json()));
  EXPECT_EQ(presented.receipt.body.id, text_of(answer, "id"));
  return receipt::check_receipt(presented,
                                {place.tiny.key.public_key(), {}, nullptr, request, asked.input});
}

/// The events of a stream, without "data: ".
std::vector<std::string> events_of(BodySource& source) {
  std::string all, piece;
  while (source.next(piece) == BodySource::More::kBytes) all += std::exchange(piece, {});
  std::vector<std::string> out;
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = all.find("\n\n", at);
    EXPECT_EQ(all.substr(at, 6), "data: ");
    out.push_back(all.substr(at + 6, end - at - 6));
    at = end + 2;
  }
  return out;
}

const char* const kSampled =
    R"({"prompt":"abc","max_tokens":9,"temperature":0.9,"top_p":0.95,"seed":4})";

// Greedy: random weights do not end it early.
const char* const kLong = R"({"prompt":"a","max_tokens":280,"temperature":0})";
const char* const kLongStream = R"({"prompt":"a","max_tokens":280,"temperature":0,"stream":true})";

TEST(Endpoint, ACompletionComesWithAReceiptForThisVeryBody) {
  Place place;
  const Response got = place.post("/v1/completions", kSampled);
  ASSERT_EQ(got.status, 200) << got.body;
  const Json answer = parsed(got.body);
  EXPECT_EQ(*answer.find("usage")->find("prompt_tokens"), Json(3));
  EXPECT_TRUE(check(place, answer, kSampled).empty());
  // For who asked something else it does not hold.
  const auto findings = check(place, answer, R"({"prompt":"abd","max_tokens":9,"seed":4})");
  EXPECT_FALSE(findings.empty());
}

TEST(Endpoint, AChatBindsNonceAndAuditSecret) {
  Place place;
  const std::string body =
      R"({"model":"tiny","messages":[{"role":"user","content":"Hi"}],"max_tokens":5,)"
      R"("aftune_nonce":")" +
      std::string(64, '1') + R"(","aftune_audit_sha256":")" + std::string(64, '2') + R"("})";
  const Response got = place.post("/v1/chat/completions", body);
  ASSERT_EQ(got.status, 200) << got.body;
  const Json answer = parsed(got.body);
  EXPECT_TRUE(check(place, answer, body).empty());
  const auto given = serve::testing::must(
      receipt::Receipt::parse(text_of(*answer.find("aftune_receipt"), "receipt")));
  EXPECT_EQ(given.body.seed.kind, receipt::SeedKind::kServer);
  EXPECT_EQ(given.body.request.audit_sha256->hex(), std::string(64, '2'));
}

TEST(Endpoint, AStreamSaysTheSameAndEndsWithTheReceipt) {
  Place place;
  const std::string whole = text_of(
      parsed(place.post("/v1/completions", kSampled).body).find("choices")->array()->at(0), "text");
  std::string body = kSampled;
  body.insert(1, R"("stream":true,"stream_options":{"include_usage":true},)");
  const Response got = place.post("/v1/completions", body);
  ASSERT_EQ(got.status, 200);
  ASSERT_NE(got.stream, nullptr);
  EXPECT_EQ(got.type, "text/event-stream");
  const std::vector<std::string> events = events_of(*got.stream);
  ASSERT_GE(events.size(), 4U);
  EXPECT_EQ(events.back(), "[DONE]");
  EXPECT_EQ(*parsed(events[events.size() - 2]).find("usage")->find("completion_tokens"), Json(9));
  std::string text;
  for (std::size_t i = 0; i + 2 < events.size(); ++i) {
    const Json chunk = parsed(events[i]);
    const Json& choice = chunk.find("choices")->array()->at(0);
    text += text_of(choice, "text");
    const bool last = i + 3 == events.size();
    EXPECT_EQ(choice.find("finish_reason")->is_null(), !last);
    EXPECT_EQ(chunk.find("aftune_receipt") != nullptr, last);
    if (last) {
      EXPECT_TRUE(check(place, chunk, body).empty());
    }
  }
  EXPECT_EQ(text, whole);
}

TEST(Endpoint, AStreamedChatBeginsWithItsRole) {
  Place place;
  const std::string body =
      R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":3,"stream":true})";
  const Response got = place.post("/v1/chat/completions", body);
  const std::vector<std::string> events = events_of(*got.stream);
  ASSERT_GE(events.size(), 3U);
  const Json first = parsed(events.front());
  EXPECT_EQ(text_of(*first.find("choices")->array()->at(0).find("delta"), "role"), "assistant");
  EXPECT_TRUE(check(place, parsed(events[events.size() - 2]), body).empty());
  EXPECT_EQ(events.back(), "[DONE]");
}

TEST(Endpoint, TheLastTokenIsSentOnlyWithADurableReceipt) {
  Place place;
  const Response got =
      place.post("/v1/completions", R"({"prompt":"a","max_tokens":1,"stream":true})");
  std::string first;
  ASSERT_EQ(got.stream->next(first), BodySource::More::kBytes);
  EXPECT_NE(first.find("aftune_receipt"), std::string::npos) << first;
  EXPECT_TRUE(std::filesystem::exists(place.tiny.log.folder().proof(1)));
}

TEST(Endpoint, WhatCannotBeAnsweredIsRefusedByItsStatus) {
  EndpointLimits limits;
  limits.max_tokens = 10;
  Place place({}, limits);
  const struct {
    const char *method, *path, *body;
    int status;
    const char* code;
  } cases[] = {
      {"POST", "/v1/completions", "", 400, "invalid_body"},
      {"POST", "/v1/completions", "{}", 400, "invalid_body"},
      {"POST", "/v1/completions", R"({"prompt":""})", 400, "invalid_body"},
      {"POST", "/v1/completions", R"({"prompt":"a","max_tokens":11})", 400, "invalid_body"},
      {"POST", "/v1/completions", R"({"prompt":[999999],"max_tokens":1})", 400, "invalid_body"},
      {"POST", "/v1/completions", R"({"prompt":"a","n":3})", 400, "invalid_body"},
      {"POST", "/v1/completions", R"({"prompt":"a","model":"other"})", 404, "model_not_found"},
      {"POST", "/v1/chat/completions", R"({"prompt":"a"})", 400, "invalid_body"},
      {"GET", "/v1/completions", "", 405, "method_not_allowed"},
      {"POST", "/health", "", 405, "method_not_allowed"},
      {"DELETE", "/v1/models/tiny", "", 405, "method_not_allowed"},
      {"GET", "/v1/models/other", "", 404, "model_not_found"},
      {"GET", "/", "", 404, "not_found"},
      {"POST", "/v1/embeddings", "{}", 404, "not_found"},
  };
  for (const auto& one : cases) {
    const Response got = place.endpoint.handle({one.method, one.path, one.body}, kThere);
    EXPECT_EQ(got.status, one.status) << one.path << one.body;
    EXPECT_EQ(code_of(got), one.code) << one.path << one.body;
  }
  const Response large = place.endpoint.handle({"POST", "/v1/completions", {}, true}, kThere);
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(code_of(large), "body_too_large");
  EXPECT_EQ(place.tiny.log.size(), 1U);  // nothing was answered
}

TEST(Endpoint, AFullQueueAndAStopAreTemporary) {
  serve::ServerLimits limits;
  limits.waiting = 1;
  Place place(limits);
  Blocker blocker(place.server);
  const Response full = place.post("/v1/completions", kSampled);
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(code_of(full), "overloaded");
  ASSERT_EQ(full.headers.size(), 1U);
  EXPECT_EQ(full.headers[0].first, "Retry-After");
  EXPECT_EQ(place.get("/health").status, 200);
  blocker.let_go();
  place.server.stop();
  const Response stopped = place.post("/v1/completions", kSampled);
  EXPECT_EQ(stopped.status, 503);
  EXPECT_EQ(code_of(stopped), "stopping");
  EXPECT_EQ(place.get("/health").status, 503);
}

TEST(Endpoint, ALateAnswerIsCancelled) {
  EndpointLimits limits;
  limits.answer = std::chrono::seconds(0);
  Place place({}, limits);
  Blocker blocker(place.server);
  const Response whole = place.post("/v1/completions", kLong);
  EXPECT_EQ(whole.status, 504);
  EXPECT_EQ(code_of(whole), "late");
  const Response got = place.post("/v1/completions", kLongStream);
  const std::vector<std::string> events = events_of(*got.stream);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(text_of(*parsed(events.back()).find("error"), "code"), "late");
  blocker.let_go();
  place.server.stop();
  EXPECT_EQ(place.server.counts().cancelled, 2U);
  EXPECT_EQ(place.tiny.log.size(), 2U);  // the statement, and what was in the way
}

TEST(Endpoint, WhoHangsUpIsCancelled) {
  Place place;
  Blocker blocker(place.server);
  int ends[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const UniqueFd ours(ends[0]);
  { const UniqueFd theirs(ends[1]); }
  const Peer gone(ours.get());
  place.post("/v1/completions", kLong, gone);
  {
    const Response got = place.post("/v1/completions", kLongStream);
    // Dropped before it was read to its end, as when the connection is lost.
  }
  blocker.let_go();
  place.server.stop();
  EXPECT_EQ(place.server.counts().cancelled, 2U);
  EXPECT_EQ(place.server.counts().receipted, 1U);  // what was in the way
}

TEST(Endpoint, AFailureIsToldAlsoInAStreamThatHasBegun) {
  Place place;
  const Path receipts = place.tiny.log.folder().receipts();
  std::filesystem::remove_all(receipts);
  ASSERT_TRUE(write_file(receipts, as_bytes("in the way")));
  const Response got =
      place.post("/v1/completions", R"({"prompt":"a","max_tokens":4,"stream":true})");
  ASSERT_EQ(got.status, 200);
  const std::vector<std::string> events = events_of(*got.stream);
  EXPECT_EQ(text_of(*parsed(events.back()).find("error"), "code"), "failed");
  EXPECT_EQ(place.post("/v1/completions", kSampled).status, 503);
}

TEST(Endpoint, ModelsAndMetricsTellWhatIsServed) {
  Place place;
  const Json models = parsed(place.get("/v1/models").body);
  const Json& model = models.find("data")->array()->at(0);
  EXPECT_EQ(text_of(model, "id"), "tiny");
  EXPECT_EQ(*model.find("aftune_max_tokens"), Json(1024));
  EXPECT_EQ(parsed(place.get("/v1/models/tiny").body), model);
  place.post("/v1/completions", kSampled);
  const Response metrics = place.get("/metrics");
  EXPECT_TRUE(metrics.type.starts_with("text/plain"));
  EXPECT_NE(metrics.body.find("aftune_requests_total{outcome=\"receipted\"} 1\n"),
            std::string::npos);
  EXPECT_NE(metrics.body.find("aftune_answer_seconds_count 1\n"), std::string::npos);
  EXPECT_NE(metrics.body.find("aftune_first_token_seconds_count 1\n"), std::string::npos);
  EXPECT_NE(metrics.body.find("aftune_http_responses_total{code=\"200\"} 3\n"), std::string::npos);
}

TEST(Endpoint, AnswersManyConnectionsAtOnce) {
  Place place;
  const auto http = serve::testing::must(HttpServer::start(
      {"127.0.0.1", 0}, {},
      [&](const Request& request, Peer peer) { return place.endpoint.handle(request, peer); }));
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 8; ++i) {
    answers.push_back(std::async(std::launch::async, [&http, i] {
      std::string body = kSampled;
      if (i % 2 == 1) body.insert(1, R"("stream":true,)");
      return testing::ask(http->port(), testing::post("/v1/completions", body));
    }));
  }
  for (auto& answer : answers) {
    const std::string got = answer.get();
    EXPECT_TRUE(got.starts_with("HTTP/1.1 200 ")) << got.substr(0, 200);
    EXPECT_NE(got.find("aftune_receipt"), std::string::npos);
  }
  EXPECT_EQ(place.server.counts().receipted, 8U);
}

}  // namespace
}  // namespace aftune::http
