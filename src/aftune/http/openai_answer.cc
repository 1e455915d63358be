// SPDX-License-Identifier: Apache-2.0
#include "aftune/http/openai_answer.h"

#include <fmt/format.h>

#include <utility>

#include "aftune/base/hex.h"
#include "aftune/base/log_line.h"
#include "aftune/base/random.h"
#include "aftune/codec/json.h"

namespace aftune::http {
namespace {

using codec::Json;
using receipt::OpenAiShape;

/// The members that come with every object of an answer.
Json::Object head_members(const AnswerHead& head, const char* of_chat) {
  const bool chat = head.shape == OpenAiShape::kChat;
  return {{"created", Json(head.created)},
          {"id", Json(head.id)},
          {"model", Json(head.model)},
          {"object", Json(chat ? of_chat : "text_completion")}};
}

Json finish_reason(const serve::Receipted& given) {
  return Json(given.receipt.body.finish == receipt::Finish::kLength ? "length" : "stop");
}

Json usage(const serve::Receipted& given) {
  const receipt::Body& body = given.receipt.body;
  return Json::Object{{"completion_tokens", Json(body.output_tokens)},
                      {"prompt_tokens", Json(body.prompt_tokens)},
                      {"total_tokens", Json(body.prompt_tokens + body.output_tokens)}};
}

void add_receipt(Json::Object& object, const serve::Receipted& given) {
  if (given.receipt_text.empty()) return;
  object["aftune_receipt"] =
      Json::Object{{"answer", Json(given.answer.text())},
                   {"proof", Json(given.proof_text)},
                   {"receipt", Json(given.receipt_text)},
                   {"request", Json(codec::canonical_json(given.receipt.body.request.json()))}};
}

/// One choice; `said` is its text, message or delta.
Json::Array choices(const char* name, Json said, Json finish) {
  return {Json::Object{{"finish_reason", std::move(finish)},
                       {"index", Json(0)},
                       {"logprobs", Json()},
                       {name, std::move(said)}}};
}

Json::Object chunk(const AnswerHead& head, std::string_view text, Json finish) {
  Json::Object out = head_members(head, "chat.completion.chunk");
  if (head.shape == OpenAiShape::kChat) {
    Json::Object delta;
    if (!text.empty()) delta["content"] = Json(text);
    out["choices"] = choices("delta", std::move(delta), std::move(finish));
  } else {
    out["choices"] = choices("text", Json(text), std::move(finish));
  }
  return out;
}

Json::Object card_json(const ModelCard& card) {
  return {{"aftune_max_tokens", Json(card.max_tokens)},
          {"aftune_server", Json(card.server)},
          {"aftune_statement", Json(card.statement)},
          {"created", Json(card.created)},
          {"id", Json(card.name)},
          {"object", Json("model")},
          {"owned_by", Json("aftune")}};
}

}  // namespace

std::string new_answer_id(OpenAiShape shape) {
  return (shape == OpenAiShape::kChat ? "chatcmpl-" : "cmpl-") + to_hex(random_bytes(16));
}

std::string whole_answer(const AnswerHead& head, const serve::Receipted& given) {
  Json::Object out = head_members(head, "chat.completion");
  const std::string& text = given.answer.text_of_output;
  if (head.shape == OpenAiShape::kChat) {
    Json message = Json::Object{{"content", Json(text)}, {"role", Json("assistant")}};
    out["choices"] = choices("message", std::move(message), finish_reason(given));
  } else {
    out["choices"] = choices("text", Json(text), finish_reason(given));
  }
  out["usage"] = usage(given);
  add_receipt(out, given);
  return codec::canonical_json(out);
}

std::string role_chunk(const AnswerHead& head) {
  Json::Object out = head_members(head, "chat.completion.chunk");
  Json delta = Json::Object{{"content", Json("")}, {"role", Json("assistant")}};
  out["choices"] = choices("delta", std::move(delta), Json());
  return codec::canonical_json(out);
}

std::string text_chunk(const AnswerHead& head, std::string_view text) {
  return codec::canonical_json(chunk(head, text, Json()));
}

std::string last_chunk(const AnswerHead& head, const serve::Receipted& given) {
  Json::Object out = chunk(head, "", finish_reason(given));
  add_receipt(out, given);
  return codec::canonical_json(out);
}

std::string usage_chunk(const AnswerHead& head, const serve::Receipted& given) {
  Json::Object out = head_members(head, "chat.completion.chunk");
  out["choices"] = Json::Array();
  out["usage"] = usage(given);
  return codec::canonical_json(out);
}

std::string event(std::string_view json) { return fmt::format("data: {}\n\n", json); }

std::string error_body(const Refusal& refusal) {
  const char* type = refusal.status < 500 ? "invalid_request_error" : "server_error";
  return codec::canonical_json(
      Json::Object{{"error", Json::Object{{"code", Json(refusal.code)},
                                          {"message", Json(printable(refusal.message))},
                                          {"param", Json()},
                                          {"type", Json(type)}}}});
}

std::string model_body(const ModelCard& card) { return codec::canonical_json(card_json(card)); }

std::string models_body(const ModelCard& card) {
  return codec::canonical_json(
      Json::Object{{"data", Json::Array{card_json(card)}}, {"object", Json("list")}});
}

}  // namespace aftune::http
