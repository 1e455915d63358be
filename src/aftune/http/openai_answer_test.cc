// SPDX-License-Identifier: Apache-2.0
#include "aftune/http/openai_answer.h"

#include <gtest/gtest.h>

#include "aftune/codec/json.h"
#include "aftune/receipt/receipt.h"

namespace aftune::http {
namespace {

using codec::Json;
using receipt::OpenAiShape;

serve::Receipted given(receipt::Finish finish = receipt::Finish::kEos) {
  serve::Receipted out;
  out.receipt.body.prompt_tokens = 3;
  out.receipt.body.output_tokens = 2;
  out.receipt.body.finish = finish;
  out.receipt_text = "{\"receipt\":\"\\n\"}";
  out.proof_text = "c2sp.org/tlog-proof@v1\n";
  out.answer.input = std::string("prompt");
  out.answer.text_of_output = "two \"words\"";
  return out;
}

Json parsed_answer(const std::string& text) {
  auto json = codec::parse_json(text, {});
  EXPECT_TRUE(json) << text;
  return json ? *std::move(json) : Json();
}

const AnswerHead kChat{OpenAiShape::kChat, "chatcmpl-1", "m", 1700000000};
const AnswerHead kText{OpenAiShape::kCompletion, "cmpl-1", "m", 1700000000};

TEST(OpenAiAnswer, ACompletionHasItsTextUsageAndReceipt) {
  const Json json = parsed_answer(whole_answer(kText, given()));
  EXPECT_EQ(*json.find("object"), Json("text_completion"));
  EXPECT_EQ(*json.find("id"), Json("cmpl-1"));
  EXPECT_EQ(*json.find("model"), Json("m"));
  EXPECT_EQ(*json.find("created"), Json(1700000000));
  const Json& choice = json.find("choices")->array()->at(0);
  EXPECT_EQ(choice, Json(Json::Object{{"finish_reason", Json("stop")},
                                      {"index", Json(0)},
                                      {"logprobs", Json()},
                                      {"text", Json("two \"words\"")}}));
  EXPECT_EQ(*json.find("usage"), Json(Json::Object{{"completion_tokens", Json(2)},
                                                   {"prompt_tokens", Json(3)},
                                                   {"total_tokens", Json(5)}}));
  const Json& receipt = *json.find("aftune_receipt");
  EXPECT_EQ(*receipt.find("receipt"), Json(given().receipt_text));
  EXPECT_EQ(*receipt.find("proof"), Json(given().proof_text));
  EXPECT_EQ(*receipt.find("answer"), Json(given().answer.text()));
  EXPECT_EQ(*receipt.find("request"),
            Json(codec::canonical_json(given().receipt.body.request.json())));
}

TEST(OpenAiAnswer, AChatHasAMessage) {
  const Json json = parsed_answer(whole_answer(kChat, given(receipt::Finish::kLength)));
  EXPECT_EQ(*json.find("object"), Json("chat.completion"));
  const Json& choice = json.find("choices")->array()->at(0);
  EXPECT_EQ(*choice.find("finish_reason"), Json("length"));
  EXPECT_EQ(*choice.find("message"),
            Json(Json::Object{{"content", Json("two \"words\"")}, {"role", Json("assistant")}}));
}

TEST(OpenAiAnswer, WithoutAReceiptThereIsNoMember) {
  serve::Receipted bare = given();
  bare.receipt_text.clear();
  EXPECT_EQ(parsed_answer(whole_answer(kChat, bare)).find("aftune_receipt"), nullptr);
  EXPECT_EQ(parsed_answer(last_chunk(kChat, bare)).find("aftune_receipt"), nullptr);
}

TEST(OpenAiAnswer, ChunksOfAChatAreDeltas) {
  const auto choice = [](const std::string& text) {
    const Json json = parsed_answer(text);
    EXPECT_EQ(*json.find("object"), Json("chat.completion.chunk"));
    return json.find("choices")->array()->at(0);
  };
  EXPECT_EQ(*choice(role_chunk(kChat)).find("delta"),
            Json(Json::Object{{"content", Json("")}, {"role", Json("assistant")}}));
  const Json text = choice(text_chunk(kChat, "x"));
  EXPECT_EQ(*text.find("delta"), Json(Json::Object{{"content", Json("x")}}));
  EXPECT_TRUE(text.find("finish_reason")->is_null());
  const Json last = choice(last_chunk(kChat, given()));
  EXPECT_EQ(*last.find("delta"), Json(Json::Object()));
  EXPECT_EQ(*last.find("finish_reason"), Json("stop"));
  EXPECT_NE(parsed_answer(last_chunk(kChat, given())).find("aftune_receipt"), nullptr);
}

TEST(OpenAiAnswer, ChunksOfACompletionHaveTexts) {
  const Json text = parsed_answer(text_chunk(kText, "x"));
  EXPECT_EQ(*text.find("object"), Json("text_completion"));
  EXPECT_EQ(*text.find("choices")->array()->at(0).find("text"), Json("x"));
  EXPECT_EQ(text.find("usage"), nullptr);
  const Json usage = parsed_answer(usage_chunk(kText, given()));
  EXPECT_TRUE(usage.find("choices")->array()->empty());
  EXPECT_EQ(*usage.find("usage")->find("total_tokens"), Json(5));
}

TEST(OpenAiAnswer, IdsAreFreshAndFitReceipts) {
  const std::string one = new_answer_id(OpenAiShape::kChat);
  EXPECT_TRUE(one.starts_with("chatcmpl-"));
  EXPECT_TRUE(receipt::is_request_id(one));
  EXPECT_TRUE(new_answer_id(OpenAiShape::kCompletion).starts_with("cmpl-"));
  EXPECT_NE(one, new_answer_id(OpenAiShape::kChat));
}

TEST(OpenAiAnswer, ErrorsSayWhoseTheyAre) {
  const Json ours = parsed_answer(error_body({500, "failed", "it failed"}));
  EXPECT_EQ(*ours.find("error"), Json(Json::Object{{"code", Json("failed")},
                                                   {"message", Json("it failed")},
                                                   {"param", Json()},
                                                   {"type", Json("server_error")}}));
  const Json theirs = parsed_answer(error_body({400, "invalid_body", "bad \x01 byte"}));
  EXPECT_EQ(*theirs.find("error")->find("type"), Json("invalid_request_error"));
  EXPECT_EQ(*theirs.find("error")->find("message"), Json("bad \\x01 byte"));
}

TEST(OpenAiAnswer, TheModelSaysWhatItsReceiptsAreOf) {
  const ModelCard card{"m", "aa", "key", 7, 100};
  const Json one = parsed_answer(model_body(card));
  EXPECT_EQ(*one.find("id"), Json("m"));
  EXPECT_EQ(*one.find("aftune_statement"), Json("aa"));
  EXPECT_EQ(*one.find("aftune_server"), Json("key"));
  EXPECT_EQ(*one.find("aftune_max_tokens"), Json(100));
  EXPECT_EQ(parsed_answer(models_body(card)).find("data")->array()->at(0), one);
  EXPECT_EQ(event("{}"), "data: {}\n\n");
}

}  // namespace
}  // namespace aftune::http
