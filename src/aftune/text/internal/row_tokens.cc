// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/row_tokens.h"

#include <fmt/format.h>

#include "aftune/base/log_line.h"
#include "aftune/codec/json.h"

namespace aftune::text {
namespace {

using codec::Json;

constexpr codec::JsonLimits kRowLimits{std::uint64_t{1} << 20, 32, std::uint64_t{1} << 20};
constexpr std::int64_t kIgnored = -100;

/// A list of tokens that grows by texts, each encoded apart.
class TokenList {
 public:
  TokenList(const Tokenizer& tokenizer, bool all_count)
      : tokenizer_(tokenizer), all_count_(all_count) {}

  Status add(const std::string& text, bool counts) {
    AFTUNE_TRY(const std::vector<std::int32_t> ids, tokenizer_.encode(text));
    for (const std::int32_t id : ids) add(id, counts);
    return ok();
  }
  void add(std::int32_t id, bool counts) {
    out_.tokens.push_back(id);
    out_.counts.push_back(all_count_ || counts);
  }
  [[nodiscard]] RowTokens take() { return std::move(out_); }

 private:
  const Tokenizer& tokenizer_;
  bool all_count_;
  RowTokens out_;
};

Result<std::string> member(const Json& row, std::string_view name) {
  const Json* value = row.find(name);
  if (!value || !value->string()) {
    return invalid_input(fmt::format("member \"{}\" is {}", name, value ? "no string" : "missing"));
  }
  return *value->string();
}

Result<const Json::Array*> list_member(const Json& row, std::string_view name) {
  const Json* value = row.find(name);
  if (!value || !value->array()) {
    return invalid_input(fmt::format("member \"{}\" is {}", name, value ? "no list" : "missing"));
  }
  return value->array();
}

Status add_text(const TextRule& rule, const Json& row, TokenList& out) {
  AFTUNE_TRY(const std::string text, member(row, "text"));
  return out.add(rule.before_prompt + text + rule.after_completion, true);
}

Status add_pair(const TextRule& rule, const Json& row, TokenList& out) {
  AFTUNE_TRY(const std::string prompt, member(row, "prompt"));
  AFTUNE_TRY(const std::string completion, member(row, "completion"));
  AFTUNE_TRY(out.add(rule.before_prompt + prompt + rule.before_completion, false));
  return out.add(completion + rule.after_completion, true);
}

/// A member that would change the text under some template is refused, not left out.
Result<ChatMessage> read_message(const Json& json) {
  if (!json.object()) return invalid_input("is no object");
  for (const auto& [name, value] : *json.object()) {
    if (name == "role" || name == "content" || value.is_null()) continue;
    return invalid_input(fmt::format("has a member \"{}\"", printable(name)));
  }
  ChatMessage out;
  AFTUNE_TRY(out.role, member(json, "role"));
  AFTUNE_TRY(out.content, member(json, "content"));
  return out;
}

Status add_messages(const TextRule& rule, const Json& row, TokenList& out) {
  AFTUNE_TRY(const Json::Array* items, list_member(row, "messages"));
  std::vector<ChatMessage> messages;
  for (const Json& item : *items) {
    AFTUNE_TRY(ChatMessage message,
               read_message(item).in(fmt::format("message {}", messages.size())));
    messages.push_back(std::move(message));
  }
  AFTUNE_TRY(const auto pieces, chat_pieces(rule.chat_template, messages));
  for (const ChatPiece& piece : pieces) AFTUNE_TRY(out.add(piece.text, piece.is_answer));
  return ok();
}

Status add_tokens(const TextRule& rule, const Json& row, const Tokenizer& tokenizer,
                  TokenList& out) {
  AFTUNE_TRY(const Json::Array* ids, list_member(row, "input_ids"));
  const Json::Array* labels = ids;
  if (rule.labels == "completion") {
    AFTUNE_TRY(labels, list_member(row, "labels"));
  }
  if (labels->size() != ids->size()) {
    return invalid_input(fmt::format("{} labels for {} tokens", labels->size(), ids->size()));
  }
  for (std::size_t i = 0; i < ids->size(); ++i) {
    const std::int64_t* id = (*ids)[i].integer();
    const std::int64_t* label = (*labels)[i].integer();
    if (id == nullptr || *id < 0 || *id >= tokenizer.vocab_size()) {
      return invalid_input(
          fmt::format("input_ids[{}] is none of the {} tokens", i, tokenizer.vocab_size()));
    }
    if (label == nullptr || (*label != *id && *label != kIgnored)) {
      return invalid_input(fmt::format("labels[{}] is neither the token {} nor -100", i, *id));
    }
    out.add(static_cast<std::int32_t>(*id), *label != kIgnored);
  }
  return ok();
}

}  // namespace

Result<RowTokens> tokenize_row(const TextRule& rule, const Tokenizer& tokenizer,
                               std::string_view row) {
  AFTUNE_TRY(const Json json, codec::parse_json(row, kRowLimits));
  if (!json.object()) return invalid_input("no JSON object");
  TokenList out(tokenizer, rule.labels == "all");
  if (rule.bos_id >= 0) out.add(rule.bos_id, false);
  if (rule.format == "text") {
    AFTUNE_TRY(add_text(rule, json, out));
  } else if (rule.format == "prompt_completion") {
    AFTUNE_TRY(add_pair(rule, json, out));
  } else if (rule.format == "messages") {
    AFTUNE_TRY(add_messages(rule, json, out));
  } else {
    AFTUNE_TRY(add_tokens(rule, json, tokenizer, out));
  }
  if (rule.eos_id >= 0) out.add(rule.eos_id, true);
  return out.take();
}

}  // namespace aftune::text
