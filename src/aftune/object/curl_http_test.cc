// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <stdlib.h>

#include "aftune/object/http.h"
#include "aftune/object/s3_server_testing.h"

namespace aftune::object {
namespace {

using testing::cut;
using testing::reply;
using testing::S3Server;
using testing::Seen;

class CurlHttpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("no_proxy", "*", 1);
    HttpLimits limits;
    limits.connect_seconds = limits.stall_seconds = 1;
    auto made = make_http(limits);
    if (!made && made.error().code == Code::kUnsupported) GTEST_SKIP() << made.error().what;
    ASSERT_TRUE(made);
    http_ = *std::move(made);
  }
  HttpRequest request(const std::string& method, const std::string& path) const {
    return {method, *parse_endpoint(server_.endpoint()), path, {}, {{"x-amz-test", "yes"}}};
  }
  Result<HttpAnswer> send(const std::string& method, std::string_view body = "") {
    return http_->send(request(method, "/bucket/key"), as_bytes(body), {});
  }
  void always(const std::string& answer) {
    server_.set_fault([answer](const Seen&) { return answer; });
  }

  S3Server server_;
  std::unique_ptr<Http> http_;
};

TEST_F(CurlHttpTest, CarriesARequestAsItIsMeant) {
  always(reply(200, "hello", {{"X-Amz-Some", " thing "}}));
  HttpRequest asked = request("PUT", "/bucket/a b/../c+%");
  asked.query = {{"z", "1&2"}, {"a", ""}};
  const auto got = http_->send(asked, as_bytes("body"), {});
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(as_text(got->body), "hello");
  EXPECT_EQ(got->header("x-amz-some"), "thing");
  EXPECT_EQ(got->header("x-absent"), "");
  const Seen seen = server_.seen().at(0);
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.key, "a b/../c+%");
  EXPECT_EQ(seen.query, (std::map<std::string, std::string>{{"a", ""}, {"z", "1&2"}}));
  EXPECT_EQ(seen.body, "body");
  EXPECT_EQ(seen.headers.at("x-amz-test"), "yes");
  EXPECT_FALSE(seen.headers.contains("expect"));
  EXPECT_FALSE(seen.headers.contains("content-type"));
}

TEST_F(CurlHttpTest, CarriesEachMethodOneAfterTheOther) {
  for (const std::string method : {"GET", "PUT", "POST", "DELETE", "HEAD", "GET"}) {
    always(method == "HEAD" ? cut(reply(200, "1234"), 4) : reply(200, "1234"));
    const auto got = send(method, method == "PUT" ? "body" : "");
    ASSERT_TRUE(got) << method << ": " << got.error().what;
    EXPECT_EQ(as_text(got->body), method == "HEAD" ? "" : "1234");
    EXPECT_EQ(got->header("content-length"), "4");
    EXPECT_EQ(server_.seen().back().method, method);
    EXPECT_EQ(server_.seen().back().body, method == "PUT" ? "body" : "");
  }
}

TEST_F(CurlHttpTest, HandsOnTheBodyOfGoodAnswersOnly) {
  std::string taken;
  const TakePiece take = [&taken](Bytes piece) {
    taken += as_text(piece);
    return ok();
  };
  always(reply(404, "complaint"));
  auto got = http_->send(request("GET", "/bucket/key"), {}, take);
  ASSERT_TRUE(got);
  EXPECT_EQ(as_text(got->body), "complaint");
  EXPECT_EQ(taken, "");
  always(reply(206, "bytes"));
  got = http_->send(request("GET", "/bucket/key"), {}, take);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->body.empty());
  EXPECT_EQ(taken, "bytes");
}

TEST_F(CurlHttpTest, AnswersThatAreNoneAreUnavailable) {
  const std::string good = reply(200, "0123456789");
  for (const std::string& answer : {std::string(), cut(good, 1), cut(good, 10), cut(good, 14),
                                    std::string("nonsense\r\n\r\n"), std::string("never")}) {
    always(answer);
    const auto got = send("GET");
    ASSERT_FALSE(got) << answer;
    EXPECT_EQ(got.error().code, Code::kUnavailable) << got.error().what;
  }
}

TEST_F(CurlHttpTest, ARefusedConnectionIsUnavailable) {
  HttpRequest nobody = request("GET", "/");
  {
    const S3Server gone;
    nobody.to = *parse_endpoint(gone.endpoint());
  }
  const auto got = http_->send(nobody, {}, {});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kUnavailable);
}

TEST_F(CurlHttpTest, WhatTheTakerRefusesIsItsOwnError) {
  always(reply(200, "bytes"));
  const auto got = http_->send(request("GET", "/bucket/key"), {}, [](Bytes) -> Status {
    return Error{Code::kInvalidInput, "enough"};
  });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kInvalidInput);
  EXPECT_EQ(got.error().what, "enough");
}

TEST_F(CurlHttpTest, AnAnswerHasItsLimits) {
  always(reply(404, std::string(kMaxAnswerBytes, 'x')));
  EXPECT_TRUE(send("GET"));
  always(reply(404, std::string(kMaxAnswerBytes + 1, 'x')));
  EXPECT_FALSE(send("GET"));
  always(reply(200, "", {{"X", std::string(kMaxHeaderBytes, 'x')}}));
  EXPECT_FALSE(send("GET"));
}

TEST_F(CurlHttpTest, FollowsNobodyElsewhere) {
  always(reply(307, "", {{"Location", server_.endpoint() + "/bucket/other"}}));
  const auto got = send("GET");
  ASSERT_TRUE(got);
  EXPECT_EQ(got->status, 307);
  EXPECT_EQ(server_.seen().size(), 1U);
}

}  // namespace
}  // namespace aftune::object
