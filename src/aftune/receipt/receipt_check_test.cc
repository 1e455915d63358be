// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/receipt_check.h"

#include <gtest/gtest.h>

#include <functional>

#include "aftune/receipt/tiny_receipt_testing.h"

namespace aftune::receipt {
namespace {

using testing::digest_of;
using testing::log_anew;
using testing::server_key;
using testing::tiny_presented;

Expected by_server() { return {server_key().public_key(), {}, nullptr, {}, {}}; }

std::string named(const std::vector<ReceiptFinding>& findings) {
  std::string out;
  for (const ReceiptFinding& one : findings) out += std::string(check_name(one.check)) + " ";
  return out;
}

TEST(ReceiptCheck, HonestReceiptHolds) {
  const Presented presented = tiny_presented();
  EXPECT_EQ(named(check_receipt(presented, by_server())), "");
  Expected all = by_server();
  all.model_root = presented.receipt.statement.model_root;
  all.request = presented.receipt.body.request;
  all.input = presented.answer.input;
  EXPECT_EQ(named(check_receipt(presented, all)), "");
}

/// A lie that the server logs, or one that somebody tells afterwards.
enum class ToldAnswer { kLogged, kAfterwards };
struct Lie {
  const char* name;
  const char* found;
  ToldAnswer when;
  std::function<void(Presented&)> tell;
};

TEST(ReceiptCheck, FindsEachLieByItsCheck) {
  const Lie lies[] = {
      {"token changed", "output ", ToldAnswer::kLogged,
       [](Presented& p) { p.answer.output[1] = 'x'; }},
      {"token dropped", "output output ", ToldAnswer::kLogged,
       [](Presented& p) { p.answer.output.pop_back(); }},
      {"text changed", "text ", ToldAnswer::kLogged,
       [](Presented& p) { p.answer.text_of_output = "cdf"; }},
      {"prompt changed", "prompt ", ToldAnswer::kLogged,
       [](Presented& p) { p.answer.input = std::string("ax"); }},
      {"prompt's tokens changed", "prompt ", ToldAnswer::kLogged,
       [](Presented& p) { p.answer.prompt[0] = 'x'; }},
      {"salt of the server's own", "prompt ", ToldAnswer::kLogged,
       [](Presented& p) {
         p.answer.salt = digest_of("mine");
         Body& body = p.receipt.body;
         body.request.input = input_digest(p.answer.salt, p.answer.input);
         body.prompt = prompt_digest(p.answer.salt, p.answer.prompt);
         body.output = output_digest(p.answer.salt, p.answer.output);
         body.text = text_digest(p.answer.salt, p.answer.text_of_output);
       }},
      {"unbound where a nonce was given", "seed ", ToldAnswer::kLogged,
       [](Presented& p) { p.receipt.body.seed.kind = SeedKind::kUnbound; }},
      {"another seed than the client's", "seed ", ToldAnswer::kLogged,
       [](Presented& p) {
         p.receipt.body.request.seed = 5;
         p.receipt.body.seed = {SeedKind::kClient, 6};
       }},
      {"cut short as if by the limit", "finish ", ToldAnswer::kLogged,
       [](Presented& p) { p.receipt.body.request.max_tokens = 4; }},
      {"longer than asked", "finish ", ToldAnswer::kLogged,
       [](Presented& p) { p.receipt.body.request.max_tokens = 2; }},
      {"an edge too few", "statement ", ToldAnswer::kLogged,
       [](Presented& p) { p.receipt.body.edges.pop_back(); }},
      {"of another statement", "statement ", ToldAnswer::kLogged,
       [](Presented& p) { p.receipt.body.statement.bytes[0] ^= 1; }},
      {"another statement beside it", "log statement ", ToldAnswer::kAfterwards,
       [](Presented& p) { p.receipt.statement.model_root.bytes[0] ^= 1; }},
      {"body changed after it was logged", "log ", ToldAnswer::kAfterwards,
       [](Presented& p) { p.receipt.body.seed.value = 78; }},
      {"another salt", "log ", ToldAnswer::kAfterwards,
       [](Presented& p) { p.receipt.salt.bytes[5] ^= 1; }},
      {"another place", "log ", ToldAnswer::kLogged,
       [](Presented& p) { p.receipt.body.position = 2; }},
      {"proof of entry 0", "log log ", ToldAnswer::kAfterwards,
       [](Presented& p) { p.proof.index = 0; }},
      {"signed by another key", "log ", ToldAnswer::kAfterwards,
       [](Presented& p) { log_anew(p, 6); }},
      {"path of another leaf", "log ", ToldAnswer::kAfterwards,
       [](Presented& p) { p.proof.path[0].bytes[0] ^= 1; }},
      {"checkpoint of another server's log", "log ", ToldAnswer::kAfterwards, [](Presented& p) {
         Presented other = tiny_presented();
         other.receipt.statement.model_root.bytes[0] ^= 1;
         log_anew(other);
         p.proof = other.proof;
       }}};
  for (const Lie& lie : lies) {
    Presented presented = tiny_presented();
    lie.tell(presented);
    if (lie.when == ToldAnswer::kLogged) log_anew(presented);
    EXPECT_EQ(named(check_receipt(presented, by_server())), lie.found) << lie.name;
  }
}

TEST(ReceiptCheck, ComparesWithWhatTheClientKnows) {
  const Presented presented = tiny_presented();
  Expected expected = by_server();
  expected.model_root = digest_of("another model");
  EXPECT_EQ(named(check_receipt(presented, expected)), "statement ");
  expected = by_server();
  expected.request = presented.receipt.body.request;
  expected.request->sampling.temperature = 0.5;
  const auto findings = check_receipt(presented, expected);
  ASSERT_EQ(named(findings), "request ");
  EXPECT_NE(findings[0].message.find("temperature"), std::string::npos);
  expected = by_server();
  expected.input = Input(std::string("another prompt"));
  EXPECT_EQ(named(check_receipt(presented, expected)), "request ");
  expected.input = Input(Tokens{'a', 'b'});
  EXPECT_EQ(named(check_receipt(presented, expected)), "request ");
}

TEST(ReceiptCheck, APromptThatFillsTheModelIsFound) {
  Presented presented = tiny_presented();
  for (const std::uint32_t positions : {2U, 1U}) {
    presented.receipt.statement.architecture.max_positions = positions;
    presented.receipt.body.statement = presented.receipt.statement.digest();
    log_anew(presented);
    EXPECT_EQ(named(check_receipt(presented, by_server())), "finish ");
  }
}

}  // namespace
}  // namespace aftune::receipt
