// SPDX-License-Identifier: Apache-2.0
// How messages become a text, to train on and to answer. Templates are programs, which we do not
// run: a few are known by their exact text. docs/formats/sampling.md, "Chat templates".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"

namespace aftune::text {

enum class ChatTemplate { kNone, kChatml, kSmollm2, kQwen2, kQwen25, kQwen3, kLlama3, kLlama31 };
std::string_view template_name(ChatTemplate id);  // "none", "chatml", "smollm2", ...
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

/// A stretch of a whole conversation's text.
struct ChatPiece {
  std::string text;
  bool is_answer = false;  // an assistant's content with the mark that ends it
  friend bool operator==(const ChatPiece&, const ChatPiece&) = default;
};

/// The conversation as the template writes it without asking for an answer, cut around the answers:
/// what comes before an answer is what render_chat gives for the messages before it, where no two
/// answers follow each other (kQwen3 writes an answer's thoughts by what comes after it).
/// Errors: as render_chat.
Result<std::vector<ChatPiece>> chat_pieces(ChatTemplate id, std::span<const ChatMessage> messages);

}  // namespace aftune::text
