// SPDX-License-Identifier: Apache-2.0
// What the body of an OpenAI-shaped request asks: docs/formats/serving.md, "Bodies". Server and
// client read it by the same code, so the client can tell which request its receipt must bind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aftune/receipt/request.h"

namespace aftune::receipt {

enum class OpenAiShape { kCompletion, kChat };

struct OpenAiBody {
  std::string model;  // empty: not said
  Input input;
  Request request;  // all of it but `input`, which takes the salt
  bool stream = false, include_usage = false;
};

inline constexpr std::uint64_t kMaxBodyBytes = std::uint64_t{64} << 20;  // of any server

/// Errors: kInvalidInput, naming the member, or the place where the text is no JSON.
Result<OpenAiBody> read_openai_body(OpenAiShape shape, std::string_view text);

/// As read_openai_body, for whichever shape it has: messages are a chat.
Result<OpenAiBody> read_openai_body(std::string_view text);

}  // namespace aftune::receipt
