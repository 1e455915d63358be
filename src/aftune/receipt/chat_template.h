// SPDX-License-Identifier: Apache-2.0
// How messages become a text. Templates are programs, which we do not run: a few are known by their
// exact text. docs/formats/sampling.md, "Chat templates".
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "aftune/base/result.h"

namespace aftune::receipt {

enum class ChatTemplate { kNone, kChatml, kSmollm2 };
std::string_view template_name(ChatTemplate id);  // "none", "chatml", "smollm2"
/// Errors: kUnsupported, naming what is known.
Result<ChatTemplate> parse_template(std::string_view name);

/// The template of a tokenizer_config.json; kNone without one, or for one that is not known.
/// Errors: kInvalidInput for a text that is no JSON object.
Result<ChatTemplate> template_of(std::string_view tokenizer_config);

struct ChatMessage {
  std::string role, content;
  friend bool operator==(const ChatMessage&, const ChatMessage&) = default;
};

inline constexpr std::size_t kMaxMessages = 1024;

/// 1 to kMaxMessages messages of known roles. Errors: kInvalidInput.
Status check_messages(std::span<const ChatMessage> messages);

/// The text that the model continues with its answer.
/// Errors: kInvalidInput, as check_messages; kUnsupported for kNone.
Result<std::string> render_chat(ChatTemplate id, std::span<const ChatMessage> messages);

}  // namespace aftune::receipt
