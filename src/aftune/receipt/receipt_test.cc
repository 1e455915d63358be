// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/receipt.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "aftune/crypto/sha256.h"
#include "aftune/receipt/tiny_receipt_testing.h"

namespace aftune::receipt {
namespace {

using codec::Json;
using testing::digest_of;
using testing::tiny_presented;

TEST(Receipt, HasOneSpelling) {
  const Presented presented = tiny_presented();
  const std::string text = presented.receipt.text();
  const auto back = Receipt::parse(text);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->body, presented.receipt.body);
  EXPECT_EQ(back->statement, presented.receipt.statement);
  EXPECT_EQ(back->salt, presented.receipt.salt);
  EXPECT_EQ(back->text(), text);
  EXPECT_FALSE(Receipt::parse(text + "\n"));
  EXPECT_FALSE(Receipt::parse(text.substr(0, text.size() / 2)));
}

TEST(Receipt, EntryIsTheSaltedDigestOfTheBody) {
  const Receipt receipt = tiny_presented().receipt;
  const std::string bound = std::string("aftune receipt v1") + '\0' +
                            std::string(as_text(receipt.salt.view())) + receipt.body.text_form();
  EXPECT_EQ(receipt.entry(), R"({"aftune":1,"kind":"receipt","position":1,"receipt":")" +
                                 digest_of(bound).hex() + "\"}");
}

TEST(Receipt, LeafBindsEveryMemberAndTheSalt) {
  const std::vector<std::function<void(Receipt&)>> changes = {
      [](Receipt&) {},
      [](Receipt& r) { r.salt.bytes[0] ^= 1; },
      [](Receipt& r) { r.body.position = 2; },
      [](Receipt& r) { r.body.statement.bytes[0] ^= 1; },
      [](Receipt& r) { r.body.id = std::string("b"); },
      [](Receipt& r) { r.body.request.max_tokens = 9; },
      [](Receipt& r) { ++r.body.seed.value; },
      [](Receipt& r) { r.body.seed.kind = SeedKind::kUnbound; },
      [](Receipt& r) { r.body.prompt.bytes[0] ^= 1; },
      [](Receipt& r) { r.body.output.bytes[0] ^= 1; },
      [](Receipt& r) { r.body.text.bytes[0] ^= 1; },
      [](Receipt& r) { ++r.body.prompt_tokens; },
      [](Receipt& r) { ++r.body.output_tokens; },
      [](Receipt& r) { r.body.finish = Finish::kEos; },
      [](Receipt& r) { r.body.edges.pop_back(); },
      [](Receipt& r) { std::swap(r.body.edges[0], r.body.edges[1]); },
      [](Receipt& r) { r.body.logits.bytes[0] ^= 1; }};
  std::set<Digest> leaves;
  for (const auto& change : changes) {
    Receipt receipt = tiny_presented().receipt;
    change(receipt);
    leaves.insert(receipt.leaf());
  }
  EXPECT_EQ(leaves.size(), changes.size());
}

TEST(Receipt, MembersOfTheBodyThatAreWrongAreRefused) {
  const struct {
    const char* member;
    Json value;
  } lies[] = {{"aftune", Json(2)},
              {"kind", Json("close")},
              {"position", Json(0)},
              {"statement", Json("x")},
              {"id", Json("a b")},
              {"id", Json("")},
              {"id", Json(std::string(129, 'a'))},
              {"request", Json()},
              {"seed", Json(3)},
              {"prompt_tokens", Json(0)},
              {"output_tokens", Json(0)},
              {"output_tokens", Json(-1)},
              {"finish", Json("cancelled")},
              {"edges", Json(Json::Array{Json("x")})},
              {"logits", Json("")},
              {"model", Json("x")}};
  const Receipt receipt = tiny_presented().receipt;
  for (const auto& lie : lies) {
    Json json = *codec::parse_json(receipt.text(), {.bytes = kMaxReceiptBytes});
    (*(*json.object())["body"].object())[lie.member] = lie.value;
    EXPECT_FALSE(Receipt::parse(codec::canonical_json(json))) << lie.member;
  }
}

TEST(Answer, HasOneSpelling) {
  const Answer answer = tiny_presented().answer;
  const auto back = Answer::parse(answer.text());
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->text(), answer.text());
  EXPECT_EQ(back->prompt, answer.prompt);
  EXPECT_FALSE(Answer::parse(answer.text() + "\n"));
  for (const char* name : {"aftune", "input", "kind", "output", "prompt", "salt", "text"}) {
    Json json = *codec::parse_json(answer.text(), {});
    json.object()->erase(name);
    EXPECT_FALSE(Answer::parse(codec::canonical_json(json))) << name;
  }
}

}  // namespace
}  // namespace aftune::receipt
