// SPDX-License-Identifier: Apache-2.0
#include "aftune/http/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "aftune/http/loopback_testing.h"

namespace aftune::http {
namespace {

using testing::ask;
using testing::get;
using testing::Loopback;
using testing::post;

std::unique_ptr<HttpServer> started(Handler handler, const HttpLimits& limits = {}) {
  auto server = HttpServer::start({"127.0.0.1", 0}, limits, std::move(handler));
  AFTUNE_CHECK(server.has_value(), "no server");
  return *std::move(server);
}

Response say(std::string text) { return {200, "text/plain", std::move(text)}; }

/// Tells what it was asked.
Response echo(const Request& request, Peer) {
  return say(request.method + " " + request.path + " " +
             (request.too_large ? "too large" : request.body));
}

/// Says these pieces.
class Pieces final : public BodySource {
 public:
  Pieces(std::vector<std::string> pieces, More end) : pieces_(std::move(pieces)), end_(end) {}
  More next(std::string& out) override {
    if (at_ == pieces_.size()) return end_;
    out = pieces_[at_++];
    return More::kBytes;
  }

 private:
  std::vector<std::string> pieces_;
  More end_;
  std::size_t at_ = 0;
};

Response streamed(std::unique_ptr<BodySource> source) {
  Response out{200, "text/plain", {}};
  out.stream = std::move(source);
  return out;
}

TEST(HttpServer, HandsOverMethodPathAndBody) {
  const auto server = started(echo);
  const std::string got = ask(server->port(), post("/a/b?c=d", "body"));
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 ")) << got;
  EXPECT_TRUE(got.ends_with("\r\n\r\nPOST /a/b body")) << got;
  EXPECT_NE(got.find("Content-Type: text/plain\r\n"), std::string::npos) << got;
  EXPECT_TRUE(ask(server->port(), get("/x")).ends_with("GET /x "));
}

TEST(HttpServer, SendsStatusAndHeadersAsTold) {
  const auto server = started([](const Request&, Peer) {
    return Response{503, "application/json", "{}", {{"Retry-After", "1"}}};
  });
  const std::string got = ask(server->port(), get("/"));
  EXPECT_TRUE(got.starts_with("HTTP/1.1 503 ")) << got;
  EXPECT_NE(got.find("Retry-After: 1\r\n"), std::string::npos) << got;
}

TEST(HttpServer, AConnectionServesManyRequests) {
  const auto server = started(echo);
  Loopback client(server->port());
  for (const char* path : {"/1", "/2", "/3"}) {
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(client.read(std::string("GET ") + path + " ").ends_with(path + std::string(" ")));
  }
}

TEST(HttpServer, StreamsEachPieceWhenItComes) {
  std::promise<void> go;
  auto gate = go.get_future().share();
  class Gated final : public BodySource {
   public:
    explicit Gated(std::shared_future<void> gate) : gate_(std::move(gate)) {}
    More next(std::string& out) override {
      if (said_ == 1) gate_.wait();
      if (said_ == 2) return More::kEnd;
      out = ++said_ == 1 ? "first" : std::string(100000, 'x') + "last";
      return More::kBytes;
    }

   private:
    std::shared_future<void> gate_;
    int said_ = 0;
  };
  const auto server =
      started([&](const Request&, Peer) { return streamed(std::make_unique<Gated>(gate)); });
  Loopback client(server->port());
  client.send(get("/"));
  EXPECT_TRUE(client.read("first").ends_with("first"));  // while the rest is not there yet
  go.set_value();
  const std::string rest = client.read();
  EXPECT_NE(rest.find("last"), std::string::npos);
  EXPECT_TRUE(rest.ends_with("\r\n0\r\n\r\n"));
}

TEST(HttpServer, ABrokenStreamIsNotEndedAsIfItWereWhole) {
  const auto server = started([](const Request&, Peer) {
    return streamed(
        std::make_unique<Pieces>(std::vector<std::string>{"some"}, BodySource::More::kBroken));
  });
  const std::string got = ask(server->port(), get("/"));
  EXPECT_NE(got.find("some"), std::string::npos);
  EXPECT_FALSE(got.ends_with("0\r\n\r\n"));
}

TEST(HttpServer, ABodyBeyondTheLimitIsToldToTheHandlerAndNotKept) {
  HttpLimits limits;
  limits.body_bytes = 100;
  const auto server = started(echo, limits);
  EXPECT_TRUE(ask(server->port(), post("/", std::string(100, 'a')))
                  .ends_with("POST / " + std::string(100, 'a')));
  EXPECT_TRUE(ask(server->port(), post("/", std::string(101, 'a'))).ends_with("POST / too large"));
  // Far beyond it, nothing of the body is waited for.
  EXPECT_TRUE(ask(server->port(), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
                  .ends_with("POST / too large"));
  // Without a length, no more than four times the limit is read.
  const std::string chunk = "64\r\n" + std::string(100, 'a') + "\r\n";
  const std::string chunked =
      "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_TRUE(ask(server->port(), chunked + chunk + chunk + "0\r\n\r\n").ends_with("too large"));
  std::string endless = chunked;
  for (int i = 0; i < 6; ++i) endless += chunk;
  EXPECT_EQ(ask(server->port(), endless).find("200"), std::string::npos);
}

TEST(HttpServer, WhatIsNoRequestGetsNoHandler) {
  std::atomic<bool> asked = false;
  HttpLimits limits;
  limits.idle = std::chrono::seconds(1);
  const auto server = started(
      [&](const Request& request, Peer peer) {
        asked = true;
        return echo(request, peer);
      },
      limits);
  for (const std::string& text :
       {std::string("hello\r\n\r\n"), std::string("\0\1\2\r\n\r\n", 7),
        "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(100000, 'x') + "\r\n\r\n",
        "GET /" + std::string(100000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n",
        std::string(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n")}) {
    const std::string got = ask(server->port(), text);
    EXPECT_EQ(got.find(" 200 "), std::string::npos) << text.substr(0, 60) << ": " << got;
  }
  EXPECT_FALSE(asked);
  EXPECT_TRUE(ask(server->port(), get("/x")).ends_with("GET /x "));
}

TEST(HttpServer, OnlyThePeersSilenceCountsNotTheTimeThatWeTake) {
  HttpLimits limits;
  limits.idle = std::chrono::seconds(1);
  class Slow final : public BodySource {
   public:
    More next(std::string& out) override {
      if (said_) return More::kEnd;
      std::this_thread::sleep_for(std::chrono::milliseconds(1300));
      out = "late";
      said_ = true;
      return More::kBytes;
    }

   private:
    bool said_ = false;
  };
  const auto server = started(
      [](const Request&, Peer) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1300));
        return streamed(std::make_unique<Slow>());
      },
      limits);
  Loopback silent(server->port());
  silent.send("GET / HTTP/1.1\r\nHos");  // and nothing more: closed meanwhile
  EXPECT_TRUE(ask(server->port(), get("/")).ends_with("late\r\n0\r\n\r\n"));
  EXPECT_EQ(silent.read().find(" 200 "), std::string::npos);
}

TEST(HttpServer, AHandlerNoticesThatThePeerHungUp) {
  std::promise<void> begun, noticed;
  const auto server = started([&](const Request&, Peer peer) {
    EXPECT_FALSE(peer.gone());
    begun.set_value();
    while (!peer.gone()) std::this_thread::yield();
    noticed.set_value();
    return say("to nobody");
  });
  Loopback client(server->port());
  client.send(get("/"));
  begun.get_future().wait();
  client.hang_up();
  noticed.get_future().wait();
  EXPECT_TRUE(server->wait_until_quiet(std::chrono::seconds(20)));
}

TEST(HttpServer, TakesNoMoreConnectionsAndEndsThoseItHas) {
  std::promise<void> begun, go;
  auto gate = go.get_future().share();
  const auto server = started([&](const Request&, Peer) {
    begun.set_value();
    gate.wait();
    return say("done");
  });
  Loopback client(server->port());
  client.send(get("/"));
  begun.get_future().wait();
  server->accept_no_more();
  EXPECT_FALSE(server->wait_until_quiet(std::chrono::seconds(0)));
  go.set_value();
  EXPECT_TRUE(client.read().ends_with("done"));
  EXPECT_TRUE(server->wait_until_quiet(std::chrono::seconds(20)));
}

TEST(HttpServer, AddressesThatCannotBeListenedOnAreErrors) {
  const auto name = HttpServer::start({"localhost", 0}, {}, echo);
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().code, Code::kInvalidInput);
  const auto server = started(echo);
  const auto taken = HttpServer::start({"127.0.0.1", server->port()}, {}, echo);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kUnavailable);
  EXPECT_NE(taken.error().what.find(std::to_string(server->port())), std::string::npos);
}

}  // namespace
}  // namespace aftune::http
