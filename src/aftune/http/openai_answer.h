// SPDX-License-Identifier: Apache-2.0
// Answers in the shape of OpenAI's, as JSON texts: docs/formats/serving.md, "Answers".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aftune/receipt/openai_body.h"
#include "aftune/serve/serving_log.h"

namespace aftune::http {

/// What is the same in an answer and each of its chunks.
struct AnswerHead {
  receipt::OpenAiShape shape = receipt::OpenAiShape::kCompletion;
  std::string id, model;
  std::int64_t created = 0;  // seconds since 1970
};

/// "cmpl-" or "chatcmpl-" and 32 hex digits.
std::string new_answer_id(receipt::OpenAiShape shape);

std::string whole_answer(const AnswerHead& head, const serve::Receipted& given);

/// Before all text, of a chat alone.
std::string role_chunk(const AnswerHead& head);
std::string text_chunk(const AnswerHead& head, std::string_view text);
/// With the finish reason and the receipt.
std::string last_chunk(const AnswerHead& head, const serve::Receipted& given);
std::string usage_chunk(const AnswerHead& head, const serve::Receipted& given);

/// A JSON text as a server-sent event.
std::string event(std::string_view json);

/// Why there is no answer; status and names as the page lists them.
struct Refusal {
  int status = 500;
  std::string code, message;
};
std::string error_body(const Refusal& refusal);

/// The one model of a server.
struct ModelCard {
  std::string name, statement, server;  // SHA-256 of entry 0; the log's verifier key
  std::int64_t created = 0;
  std::uint64_t max_tokens = 0;
};
std::string model_body(const ModelCard& card);
std::string models_body(const ModelCard& card);

}  // namespace aftune::http
