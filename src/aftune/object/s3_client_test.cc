// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/s3_client.h"

#include <gtest/gtest.h>

#include <deque>

#include "aftune/object/xml.h"

namespace aftune::object {
namespace {

HttpAnswer answer(int status, std::string_view body = "") {
  const Bytes bytes = as_bytes(body);
  return {status, {}, ByteBuffer(bytes.begin(), bytes.end())};
}
HttpAnswer error_answer(int status, const std::string& code) {
  return answer(status, "<Error><Code>" + code + "</Code><Message>m</Message></Error>");
}
Error broken() { return {Code::kUnavailable, "connection reset"}; }

/// Gives prepared answers one after the other, the last one for ever.
struct Script {
  std::deque<Result<HttpAnswer>> answers;
  std::vector<HttpRequest> requests = {};
  double at = 0;
};

class ScriptedHttp final : public Http {
 public:
  explicit ScriptedHttp(Script& script) : script_(script) {}
  Result<HttpAnswer> send(const HttpRequest& request, Bytes, const TakePiece& take) override {
    script_.requests.push_back(request);
    Result<HttpAnswer> now = script_.answers.front();
    if (script_.answers.size() > 1) script_.answers.pop_front();
    if (now && take && now->status / 100 == 2) {
      const Status taken = take(now->body);
      now->body.clear();
      if (!taken) return taken.error();
    }
    return now;
  }

 private:
  Script& script_;
};

Account account_at(const std::string& endpoint) {
  Account account;
  account.access_key = "KEY";
  account.secret_key = crypto::SecretBytes(ByteBuffer(8, 's'));
  if (!endpoint.empty()) account.endpoint = *parse_endpoint(endpoint);
  return account;
}

S3Client client_of(Script& script, const std::string& endpoint = "http://host:1",
                   const std::string& bucket = "bucket") {
  const Waiting waiting = {[&script] { return script.at; },
                           [&script](double seconds) { script.at += seconds; }, [] { return 0.5; }};
  return S3Client(
      account_at(endpoint), bucket, std::make_unique<ScriptedHttp>(script), waiting,
      [&script] { return static_cast<std::int64_t>(script.at); }, 60);
}

TEST(S3Client, TriesAgainWhatMayPass) {
  Script script;
  script.answers = {broken(),
                    answer(503),
                    error_answer(500, "InternalError"),
                    answer(429),
                    answer(408),
                    answer(502),
                    answer(504),
                    error_answer(400, "RequestTimeout"),
                    error_answer(200, "SlowDown"),
                    answer(200, "good")};
  const auto got = client_of(script).send({"GET", "key"});
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(as_text(got->body), "good");
  EXPECT_EQ(script.requests.size(), 10U);
}

TEST(S3Client, SignsEachTryWithItsOwnTime) {
  Script script;
  for (int i = 0; i < 8; ++i) script.answers.emplace_back(broken());
  script.answers.emplace_back(answer(200));
  ASSERT_TRUE(client_of(script).send({"GET", "key"}));
  EXPECT_NE(script.requests.front().headers.at("x-amz-date"),
            script.requests.back().headers.at("x-amz-date"));
}

TEST(S3Client, GivesUpInTheEndAndSaysHowOftenItTried) {
  Script script;
  script.answers = {broken()};
  const auto got = client_of(script).send({"PUT", "key"});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kUnavailable);
  EXPECT_NE(got.error().what.find("given up after"), std::string::npos) << got.error().what;
  EXPECT_NEAR(script.at, 60, 1e-6);
}

TEST(S3Client, DoesNotRepeatWhatIsRefused) {
  struct Case {
    HttpAnswer given;
    Code code;
  };
  const Case cases[] = {{error_answer(403, "AccessDenied"), Code::kInvalidInput},
                        {error_answer(403, "SignatureDoesNotMatch"), Code::kInvalidInput},
                        {error_answer(400, "XAmzContentSHA256Mismatch"), Code::kInvalidInput},
                        {error_answer(301, "PermanentRedirect"), Code::kInvalidInput},
                        {error_answer(404, "NoSuchBucket"), Code::kInvalidInput},
                        {error_answer(404, "NoSuchKey"), Code::kNotFound},
                        {answer(404), Code::kNotFound},
                        {answer(302), Code::kInvalidInput},
                        {error_answer(200, "AccessDenied"), Code::kInvalidInput}};
  for (const Case& c : cases) {
    Script script;
    script.answers = {c.given};
    const auto got = client_of(script).send({"GET", "key"});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, c.code) << got.error().what;
    EXPECT_EQ(script.requests.size(), 1U);
  }
}

TEST(S3Client, SaysWhatTheServerSaidAndNoSecret) {
  Script script;
  script.answers = {error_answer(403, "AccessDenied\n\x1B[31m")};
  const auto got = client_of(script).send({"GET", "key"});
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().what.find("GET bucket/key: 403 AccessDenied"), std::string::npos);
  EXPECT_EQ(got.error().what.find('\x1B'), std::string::npos);
  EXPECT_EQ(got.error().what.find("ssss"), std::string::npos);
}

TEST(S3Client, StartsTakingAnewForEachTry) {
  Script script;
  script.answers = {answer(503), broken(), answer(200, "bytes")};
  int starts = 0;
  std::string got;
  ASSERT_TRUE(client_of(script).send({"GET", "key"}, [&]() -> Result<TakePiece> {
    ++starts;
    return TakePiece([&got](Bytes piece) {
      got += as_text(piece);
      return ok();
    });
  }));
  EXPECT_EQ(starts, 3);
  EXPECT_EQ(got, "bytes");
}

TEST(S3Client, TroubleOfTheTakerIsNotTheServers) {
  Script script;
  script.answers = {answer(200, "bytes")};
  const auto got = client_of(script).send({"GET", "key"}, []() -> Result<TakePiece> {
    return TakePiece([](Bytes) -> Status { return Error{Code::kUnavailable, "the disk is full"}; });
  });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().what, "the disk is full");
  EXPECT_EQ(script.requests.size(), 1U);
}

TEST(S3Client, GoesToThePlaceThatThePageSays) {
  struct Case {
    std::string endpoint, bucket, key, host, path;
  };
  const Case cases[] = {
      {"http://host:1", "bucket", "a/b", "host:1", "/bucket/a/b"},
      {"http://host:1", "bucket", "", "host:1", "/bucket"},
      {"", "bucket", "a/b", "bucket.s3.us-east-1.amazonaws.com", "/a/b"},
      {"", "bucket", "", "bucket.s3.us-east-1.amazonaws.com", "/"},
      {"", "my.bucket", "a", "s3.us-east-1.amazonaws.com", "/my.bucket/a"},
  };
  for (const Case& c : cases) {
    Script script;
    script.answers = {answer(200)};
    ASSERT_TRUE(client_of(script, c.endpoint, c.bucket).send({"GET", c.key}));
    EXPECT_EQ(script.requests[0].to.authority, c.host);
    EXPECT_EQ(script.requests[0].path, c.path);
    EXPECT_EQ(script.requests[0].to.tls, c.endpoint.empty());
    EXPECT_EQ(script.requests[0].headers.at("host"), c.host);
  }
}

}  // namespace
}  // namespace aftune::object
