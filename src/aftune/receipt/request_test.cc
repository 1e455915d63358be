// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/request.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "aftune/crypto/sha256.h"
#include "aftune/receipt/tiny_served_testing.h"

namespace aftune::receipt {
namespace {

using codec::Json;

Digest digest_of_text(std::string_view text) { return crypto::sha256(as_bytes(text)); }

Request full() {
  Request out;
  out.input = digest_of_text("input");
  out.max_tokens = 40;
  out.sampling = {0.7, 40, 0.95, 1.1};
  out.stop = {"\n\n", "END"};
  out.seed = 0x0123456789ABCDEFU;
  out.nonce = digest_of_text("nonce");
  out.audit_sha256 = digest_of_text("audit");
  return out;
}

TEST(Request, HasOneSpelling) {
  for (const bool bare : {false, true}) {
    Request request = full();
    if (bare) {
      request.seed.reset();
      request.nonce.reset();
      request.audit_sha256.reset();
      request.stop.clear();
    }
    const auto back = Request::parse(request.json(), "request");
    ASSERT_TRUE(back) << back.error().what;
    EXPECT_EQ(*back, request);
  }
  EXPECT_EQ(codec::canonical_json(full().json()).substr(0, 33),
            R"({"aftune":1,"audit_sha256":")" + full().audit_sha256->hex().substr(0, 5));
}

TEST(Request, DigestBindsEveryMember) {
  const std::vector<std::function<void(Request&)>> changes = {
      [](Request&) {},
      [](Request& r) { r.input.bytes[3] ^= 1; },
      [](Request& r) { r.max_tokens = 41; },
      [](Request& r) { r.sampling.temperature = 0.8; },
      [](Request& r) { r.sampling.top_k = 0; },
      [](Request& r) { r.sampling.top_p = 1; },
      [](Request& r) { r.sampling.repetition_penalty = 1; },
      [](Request& r) { r.stop.pop_back(); },
      [](Request& r) {
        r.stop = {"END", "\n\n"};
      },
      [](Request& r) { r.seed.reset(); },
      [](Request& r) { ++*r.seed; },
      [](Request& r) { r.nonce.reset(); },
      [](Request& r) { r.audit_sha256.reset(); }};
  std::set<Digest> digests;
  for (const auto& change : changes) {
    Request request = full();
    change(request);
    digests.insert(request.digest());
  }
  EXPECT_EQ(digests.size(), changes.size());
}

TEST(Request, MembersThatAreWrongAreNamed) {
  const struct {
    const char* named;
    Json value;
  } lies[] = {{"aftune", Json(2)},
              {"kind", Json("response")},
              {"input", Json("ab")},
              {"max_tokens", Json(0)},
              {"max_tokens", Json((1 << 20) + 1)},
              {"max_tokens", Json("5")},
              {"stop", Json(Json::Array{Json("")})},
              {"stop", Json(Json::Array{Json(3)})},
              {"seed", Json("0123")},
              {"seed", Json("0123456789ABCDEF")},
              {"nonce", Json("00")},
              {"audit_sha256", Json(true)},
              {"best_of", Json(4)}};
  for (const auto& lie : lies) {
    Json json = full().json();
    (*json.object())[lie.named] = lie.value;
    const auto parsed = Request::parse(json, "request");
    ASSERT_FALSE(parsed) << lie.named;
    EXPECT_NE(parsed.error().what.find(lie.named), std::string::npos) << parsed.error().what;
  }
  const Json whole = full().json();
  for (const auto& [name, value] : *whole.object()) {
    Json json = whole;
    json.object()->erase(name);
    EXPECT_FALSE(Request::parse(json, "request")) << name;
  }
}

TEST(Request, SaysWhereItsSeedComesFrom) {
  Request request = full();
  EXPECT_EQ(seed_kind(request), SeedKind::kClient);
  request.seed.reset();
  EXPECT_EQ(seed_kind(request), SeedKind::kServer);
  request.nonce.reset();
  EXPECT_EQ(seed_kind(request), SeedKind::kUnbound);
}

TEST(Request, ServerSeedFollowsFromSecretRequestAndNonce) {
  Request request = full();
  request.seed.reset();
  const ByteBuffer secret(32, 7), other(32, 8);
  const std::uint64_t seed = server_seed(secret, request);
  EXPECT_EQ(seed, server_seed(secret, request));
  EXPECT_NE(seed, server_seed(other, request));
  // The page's formula, written out.
  std::string message = std::string("aftune serve seed v1") + '\0';
  message += as_text(request.digest().view());
  message += as_text(request.nonce->view());
  const Digest mac = crypto::hmac_sha256(secret, as_bytes(message));
  std::uint64_t expected = 0;
  for (int i = 7; i >= 0; --i) expected = expected << 8 | mac.bytes[static_cast<std::size_t>(i)];
  EXPECT_EQ(seed, expected);
  request.max_tokens = 41;
  EXPECT_NE(seed, server_seed(secret, request));
}

TEST(Request, SeedsAreSpeltInSixteenDigits) {
  EXPECT_EQ(spell_seed(0x12), "0000000000000012");
  EXPECT_EQ(*parse_seed("00000000000000ff"), 255U);
  EXPECT_EQ(*parse_seed(spell_seed(~std::uint64_t{0})), ~std::uint64_t{0});
  EXPECT_FALSE(parse_seed("ff"));
  EXPECT_FALSE(parse_seed("00000000000000FF"));
}

TEST(Input, IsATextMessagesOrTokens) {
  const Input inputs[] = {std::string("a\n\"b\""),
                          std::vector<ChatMessage>{{"system", "x"}, {"user", "y"}},
                          Tokens{1, 2, 255}, std::string()};
  std::set<Digest> digests;
  for (const Input& input : inputs) {
    EXPECT_EQ(*read_input(to_json(input), "input"), input);
    digests.insert(input_digest(digest_of_text("salt"), input));
  }
  digests.insert(input_digest(digest_of_text("salt 2"), inputs[0]));
  EXPECT_EQ(digests.size(), 5U);
  EXPECT_FALSE(read_input(Json(Json::Object{{"text", Json("a")}, {"tokens", Json()}}), "input"));
  EXPECT_FALSE(read_input(Json(Json::Object{}), "input"));
  EXPECT_FALSE(read_input(
      Json(Json::Object{{"tokens", Json(Json::Array{Json(std::int64_t{1} << 31)})}}), "input"));
  EXPECT_FALSE(check_input(std::string("\xFF")));
  EXPECT_FALSE(check_input(std::vector<ChatMessage>{{"user", "\xC0"}}));
}

TEST(Input, BecomesThePromptByTokenizerAndTemplate) {
  const auto tokenizer = testing::must(text::Tokenizer::parse(testing::byte_tokenizer()));
  Statement statement;
  statement.architecture = testing::tiny_served_config({});
  statement.chat = ChatTemplate::kChatml;
  EXPECT_EQ(*prompt_of(std::string("ab"), tokenizer, statement), (Tokens{'a', 'b'}));
  const Tokens chat = *prompt_of(std::vector<ChatMessage>{{"user", "a"}}, tokenizer, statement);
  EXPECT_EQ(chat.size(), 9U + 11U);
  EXPECT_EQ(chat[0], testing::kImStart);
  EXPECT_EQ(chat[7], testing::kImEnd);
  EXPECT_EQ(*prompt_of(Tokens{3, 257}, tokenizer, statement), (Tokens{3, 257}));
  for (const Input& lie : {Input(std::string()), Input(Tokens{}), Input(Tokens{258}),
                           Input(Tokens{-1}), Input(Tokens(300, 1))}) {
    EXPECT_FALSE(prompt_of(lie, tokenizer, statement));
  }
  EXPECT_TRUE(prompt_of(Tokens(299, 1), tokenizer, statement));
  statement.chat = ChatTemplate::kNone;
  EXPECT_FALSE(prompt_of(std::vector<ChatMessage>{{"user", "a"}}, tokenizer, statement));
}

TEST(StopRule, EndsAtTheModelsPositionsAtTheLatest) {
  Statement statement;
  statement.architecture = testing::tiny_served_config({});
  EXPECT_EQ(stop_rule(full(), statement, 10).limit, 40U);
  EXPECT_EQ(stop_rule(full(), statement, 299).limit, 1U);
}

}  // namespace
}  // namespace aftune::receipt
