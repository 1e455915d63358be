// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/chat_template.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/base/log_line.h"
#include "aftune/codec/json.h"

namespace aftune::receipt {
namespace {

constexpr std::string_view kRoles[] = {"system", "user", "assistant"};
constexpr std::string_view kSmollm2System =
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

constexpr std::string_view kChatmlText =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
    "'<|im_start|>assistant\\n' }}{% endif %}";
constexpr std::string_view kSmollm2Text =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
    "'<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
    "Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + "
    "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
    "'<|im_start|>assistant\n' }}{% endif %}";

struct Known {
  ChatTemplate id;
  std::string_view name, text;
};
constexpr Known kKnown[] = {{ChatTemplate::kNone, "none", ""},
                            {ChatTemplate::kChatml, "chatml", kChatmlText},
                            {ChatTemplate::kSmollm2, "smollm2", kSmollm2Text}};

/// A line feed inside the quotes and the two characters \n mean the same to the template.
std::string with_line_feeds(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) == "\\n") {
      out += '\n';
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string turn(std::string_view role, std::string_view content) {
  return fmt::format("<|im_start|>{}\n{}<|im_end|>\n", role, content);
}

}  // namespace

std::string_view template_name(ChatTemplate id) {
  for (const Known& known : kKnown) {
    if (known.id == id) return known.name;
  }
  return "?";
}

Result<ChatTemplate> parse_template(std::string_view name) {
  for (const Known& known : kKnown) {
    if (known.name == name) return known.id;
  }
  return Error{
      Code::kUnsupported,
      fmt::format("chat template \"{}\", known are none, chatml and smollm2", printable(name))};
}

Result<ChatTemplate> template_of(std::string_view tokenizer_config) {
  AFTUNE_TRY(const codec::Json config, codec::parse_json(tokenizer_config, {}));
  if (config.object() == nullptr) {
    return Error{Code::kInvalidInput, "tokenizer_config.json is no object"};
  }
  const codec::Json* member = config.find("chat_template");
  if (member == nullptr || member->string() == nullptr) return ChatTemplate::kNone;
  const std::string text = with_line_feeds(*member->string());
  for (const Known& known : kKnown) {
    if (!known.text.empty() && text == with_line_feeds(known.text)) return known.id;
  }
  return ChatTemplate::kNone;
}

Status check_messages(std::span<const ChatMessage> messages) {
  if (messages.empty() || messages.size() > kMaxMessages) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} messages, a chat has 1 to {}", messages.size(), kMaxMessages)};
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (std::find(std::begin(kRoles), std::end(kRoles), messages[i].role) != std::end(kRoles)) {
      continue;
    }
    return Error{Code::kInvalidInput,
                 fmt::format("message {} has the role \"{}\", known are system, user and assistant",
                             i, printable(messages[i].role))};
  }
  return ok();
}

Result<std::string> render_chat(ChatTemplate id, std::span<const ChatMessage> messages) {
  AFTUNE_TRY(check_messages(messages));
  if (id == ChatTemplate::kNone) {
    return Error{Code::kUnsupported,
                 "messages need a chat template, and the model has none that is known (chatml, "
                 "smollm2)"};
  }
  std::string out;
  if (id == ChatTemplate::kSmollm2 && messages.front().role != "system") {
    out += turn("system", kSmollm2System);
  }
  for (const ChatMessage& message : messages) out += turn(message.role, message.content);
  return out + "<|im_start|>assistant\n";
}

}  // namespace aftune::receipt
