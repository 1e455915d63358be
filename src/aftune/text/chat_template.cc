// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/chat_template.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/base/check.h"
#include "aftune/base/log_line.h"
#include "aftune/codec/json.h"

namespace aftune::text {
namespace {

constexpr std::string_view kRoles[] = {"system", "user", "assistant"};
constexpr std::string_view kLlama3Bos = "<|begin_of_text|>";

/// What a template puts around messages: its first text, then of each message the role between
/// its marks, the content, the mark that ends it, and what follows.
struct Form {
  std::string_view first, before_role, after_role, end, after_end;
  std::string_view system;         // put in front where the first message is of another role
  bool trims = false;              // white space around contents
  std::string_view preamble = {};  // begins the system message, which is then always there
  bool thinks = false;             // answers carry thoughts, by Qwen3's rule
};

constexpr Form chatml(std::string_view system) {
  return {"", "<|im_start|>", "\n", "<|im_end|>", "\n", system};
}

struct Known {
  ChatTemplate id;
  std::string_view name;
  Form form;
  std::string_view text;  // of the program; empty: not recognised by it
};

constexpr Known kKnown[] = {
    {ChatTemplate::kNone, "none", {}, ""},
    {ChatTemplate::kChatml, "chatml", chatml(""),
     "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
     "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
     "'<|im_start|>assistant\\n' }}{% endif %}"},
    {ChatTemplate::kSmollm2, "smollm2",
     chatml("You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
     "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
     "'<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
     "Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + "
     "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
     "'<|im_start|>assistant\n' }}{% endif %}"},
    {ChatTemplate::kQwen2, "qwen2", chatml("You are a helpful assistant."),
     "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
     "'<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' "
     "+ message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if "
     "add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"},
    {ChatTemplate::kQwen25, "qwen2.5",
     chatml("You are Qwen, created by Alibaba Cloud. You are a helpful assistant."), ""},
    {ChatTemplate::kQwen3,
     "qwen3",
     {"", "<|im_start|>", "\n", "<|im_end|>", "\n", "", false, "", true},
     ""},
    {ChatTemplate::kLlama3,
     "llama3",
     {kLlama3Bos, "<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>", "", "", true},
     "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = "
     "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim "
     "+ '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif "
     "%}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ "
     "'<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"},
    {ChatTemplate::kLlama31,
     "llama3.1",
     {kLlama3Bos, "<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>", "", "", true,
      "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"},
     ""},
};

const Known& known(ChatTemplate id) {
  const auto found = std::ranges::find(kKnown, id, &Known::id);
  AFTUNE_CHECK(found != std::end(kKnown), "a template without a name");
  return *found;
}

/// "chatml, smollm2, ..." of all but none.
std::string known_names() {
  std::string out;
  for (const Known& one : kKnown) {
    if (one.id == ChatTemplate::kNone) continue;
    out += fmt::format("{}{}", out.empty() ? "" : ", ", one.name);
  }
  return out;
}

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

/// The template of Llama 3 puts the configuration's first token where we put its usual one.
bool has_llama3_bos(const codec::Json& config) {
  const codec::Json* bos = config.find("bos_token");
  if (bos != nullptr && bos->object() != nullptr) bos = bos->find("content");
  return bos != nullptr && bos->string() != nullptr && *bos->string() == kLlama3Bos;
}

/// What Python's str.strip() takes away.
constexpr std::string_view kSpaces[] = {
    "\t",           "\n",           "\v",           "\f",           "\r",
    "\x1c",         "\x1d",         "\x1e",         "\x1f",         " ",
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
    "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
    "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
    "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

std::string_view trimmed(std::string_view text) {
  const auto first = [&](std::string_view space) { return text.starts_with(space); };
  const auto last = [&](std::string_view space) { return text.ends_with(space); };
  for (auto at = std::ranges::find_if(kSpaces, first); at != std::end(kSpaces);
       at = std::ranges::find_if(kSpaces, first)) {
    text.remove_prefix(at->size());
  }
  for (auto at = std::ranges::find_if(kSpaces, last); at != std::end(kSpaces);
       at = std::ranges::find_if(kSpaces, last)) {
    text.remove_suffix(at->size());
  }
  return text;
}

std::string_view without_line_feeds_before(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
  return text;
}

std::string_view without_line_feeds_after(std::string_view text) {
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

/// Qwen3 takes for a question what a user says and no tool answered.
bool asks(const ChatMessage& message) {
  const std::string_view content = message.content;
  return message.role == "user" &&
         !(content.starts_with("<tool_response>") && content.ends_with("</tool_response>"));
}

/// Where answers keep their thoughts: after the last question; nowhere without one.
std::size_t first_after_question(std::span<const ChatMessage> messages) {
  for (std::size_t i = messages.size(); i > 0; --i) {
    if (asks(messages[i - 1])) return i;
  }
  return messages.size();
}

/// An answer as Qwen3's template writes it: old ones without their thoughts, the last one with
/// them, be they empty.
std::string with_thoughts(std::string_view content, bool is_after_question, bool is_last) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  std::string_view answer = content, thoughts;
  if (const std::size_t close = content.find(kClose); close != std::string_view::npos) {
    answer = without_line_feeds_before(content.substr(content.rfind(kClose) + kClose.size()));
    thoughts = without_line_feeds_after(content.substr(0, close));
    if (const std::size_t open = thoughts.rfind(kOpen); open != std::string_view::npos) {
      thoughts.remove_prefix(open + kOpen.size());
    }
    thoughts = without_line_feeds_before(thoughts);
  }
  if (!is_after_question || (!is_last && thoughts.empty())) return std::string(answer);
  return fmt::format("{}\n{}\n{}\n\n{}", kOpen, without_line_feeds_after(thoughts), kClose,
                     without_line_feeds_before(answer));
}

std::string header(const Form& form, std::string_view role) {
  return fmt::format("{}{}{}", form.before_role, role, form.after_role);
}

std::string joined(const std::vector<ChatPiece>& pieces) {
  std::string out;
  for (const ChatPiece& piece : pieces) out += piece.text;
  return out;
}

}  // namespace

std::string_view template_name(ChatTemplate id) { return known(id).name; }

Result<ChatTemplate> parse_template(std::string_view name) {
  for (const Known& one : kKnown) {
    if (one.name == name) return one.id;
  }
  return Error{Code::kUnsupported, fmt::format("chat template \"{}\", known are none, {}",
                                               printable(name), known_names())};
}

Result<ChatTemplate> template_of(std::string_view tokenizer_config) {
  AFTUNE_TRY(const codec::Json config, codec::parse_json(tokenizer_config, {}));
  if (config.object() == nullptr) {
    return Error{Code::kInvalidInput, "tokenizer_config.json is no object"};
  }
  const codec::Json* member = config.find("chat_template");
  if (member == nullptr || member->string() == nullptr) return ChatTemplate::kNone;
  const std::string text = with_line_feeds(*member->string());
  for (const Known& one : kKnown) {
    if (one.text.empty() || text != with_line_feeds(one.text)) continue;
    if (one.id == ChatTemplate::kLlama3 && !has_llama3_bos(config)) continue;
    return one.id;
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
  AFTUNE_TRY(const std::vector<ChatPiece> pieces, chat_pieces(id, messages));
  return joined(pieces) + header(known(id).form, "assistant");
}

Result<std::vector<ChatPiece>> chat_pieces(ChatTemplate id, std::span<const ChatMessage> messages) {
  AFTUNE_TRY(check_messages(messages));
  if (id == ChatTemplate::kNone) {
    return Error{Code::kUnsupported,
                 fmt::format("messages need a chat template, and the model has none that is known "
                             "({})",
                             known_names())};
  }
  const Form& form = known(id).form;
  std::vector<ChatPiece> out{{std::string(form.first)}};
  const bool has_system = messages.front().role == "system";
  if (!has_system && (!form.system.empty() || !form.preamble.empty())) {
    out[0].text += header(form, "system") +
                   fmt::format("{}{}{}{}", form.preamble, form.system, form.end, form.after_end);
  }
  const std::size_t thinking_from = first_after_question(messages);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const ChatMessage& message = messages[i];
    std::string content(form.trims ? trimmed(message.content) : message.content);
    if (form.thinks && message.role == "assistant") {
      content = with_thoughts(content, i >= thinking_from, i + 1 == messages.size());
    }
    out.back().text += header(form, message.role);
    if (i == 0 && has_system) out.back().text += form.preamble;
    if (message.role == "assistant") {
      out.push_back({fmt::format("{}{}", content, form.end), true});
      out.push_back({std::string(form.after_end)});
    } else {
      out.back().text += fmt::format("{}{}{}", content, form.end, form.after_end);
    }
  }
  std::erase_if(out, [](const ChatPiece& piece) { return piece.text.empty(); });
  return out;
}

}  // namespace aftune::text
