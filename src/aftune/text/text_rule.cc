// SPDX-License-Identifier: Apache-2.0
// The rule from a row to a sample in the contract: docs/formats/dataset.md.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "aftune/base/log_line.h"
#include "aftune/codec/json.h"
#include "aftune/text/dataset.h"

namespace aftune::text {
namespace {

using codec::Json;

constexpr std::size_t kLiteralBytes = 65536;
constexpr std::int64_t kMaxId = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMaxSequence = std::int64_t{1} << 20;
constexpr std::string_view kFormats[] = {"text", "prompt_completion", "messages", "tokens"};

Result<std::string> read_literal(codec::JsonReader& reader, std::string_view name) {
  AFTUNE_TRY(std::string literal, reader.string(name));
  if (literal.size() > kLiteralBytes) {
    return Error{Code::kInvalidInput,
                 fmt::format("{}.{}: {} bytes, at most {} are allowed", reader.path(), name,
                             literal.size(), kLiteralBytes)};
  }
  return literal;
}

/// What a format has no place for is empty, so that a rule has one spelling.
Status check_places(const TextRule& rule, const std::string& path) {
  const auto refuse = [&](std::string_view name, std::string_view why) {
    return Error{Code::kInvalidInput,
                 fmt::format("{}.{}: must be {} for format {}", path, name, why, rule.format)};
  };
  if (rule.format == "prompt_completion") return ok();
  if (!rule.before_completion.empty()) return refuse("before_completion", "empty");
  if (rule.format == "text") {
    if (rule.labels != "all") return refuse("labels", "\"all\"");
    return ok();
  }
  if (!rule.before_prompt.empty()) return refuse("before_prompt", "empty");
  if (!rule.after_completion.empty()) return refuse("after_completion", "empty");
  if (rule.bos_id != -1) return refuse("bos_id", "-1");
  if (rule.eos_id != -1) return refuse("eos_id", "-1");
  return ok();
}

Status check_words(const TextRule& rule, const std::string& path) {
  const auto unknown = [&](std::string_view name, std::string_view word) {
    return Error{Code::kInvalidInput,
                 fmt::format("{}.{}: \"{}\" is unknown", path, name, printable(word))};
  };
  if (std::ranges::find(kFormats, rule.format) == std::end(kFormats)) {
    return unknown("format", rule.format);
  }
  if (rule.labels != "all" && rule.labels != "completion") return unknown("labels", rule.labels);
  return check_places(rule, path);
}

Status read_optional(codec::JsonReader& reader, TextRule& rule) {
  if (rule.format == "messages") {
    AFTUNE_TRY(const std::string name, reader.string("chat_template"));
    AFTUNE_TRY(rule.chat_template, parse_template(name).in(reader.path() + ".chat_template"));
    if (rule.chat_template == ChatTemplate::kNone) {
      return Error{Code::kInvalidInput,
                   fmt::format("{}.chat_template: messages need one", reader.path())};
    }
  }
  if (!reader.has("packing")) return ok();
  AFTUNE_TRY(rule.packing, reader.boolean("packing"));
  if (rule.packing) return ok();
  return Error{Code::kInvalidInput,
               fmt::format("{}.packing: is there only where it is true", reader.path())};
}

}  // namespace

codec::Json to_contract(const TextRule& rule) {
  Json::Object object;
  object["format"] = rule.format;
  object["before_prompt"] = rule.before_prompt;
  object["before_completion"] = rule.before_completion;
  object["after_completion"] = rule.after_completion;
  object["bos_id"] = rule.bos_id;
  object["eos_id"] = rule.eos_id;
  object["pad_id"] = rule.pad_id;
  object["sequence"] = rule.sequence;
  object["labels"] = rule.labels;
  if (rule.format == "messages") object["chat_template"] = template_name(rule.chat_template);
  if (rule.packing) object["packing"] = true;
  return object;
}

Result<TextRule> text_rule_from_contract(codec::JsonReader& reader) {
  TextRule rule;
  AFTUNE_TRY(rule.format, reader.string("format"));
  AFTUNE_TRY(rule.before_prompt, read_literal(reader, "before_prompt"));
  AFTUNE_TRY(rule.before_completion, read_literal(reader, "before_completion"));
  AFTUNE_TRY(rule.after_completion, read_literal(reader, "after_completion"));
  AFTUNE_TRY(const std::int64_t bos, reader.integer("bos_id", -1, kMaxId));
  AFTUNE_TRY(const std::int64_t eos, reader.integer("eos_id", -1, kMaxId));
  AFTUNE_TRY(const std::int64_t pad, reader.integer("pad_id", 0, kMaxId));
  AFTUNE_TRY(const std::int64_t sequence, reader.integer("sequence", 2, kMaxSequence));
  AFTUNE_TRY(rule.labels, reader.string("labels"));
  AFTUNE_TRY(read_optional(reader, rule));
  AFTUNE_TRY(reader.finish());
  rule.bos_id = static_cast<std::int32_t>(bos);
  rule.eos_id = static_cast<std::int32_t>(eos);
  rule.pad_id = static_cast<std::int32_t>(pad);
  rule.sequence = static_cast<std::uint32_t>(sequence);
  AFTUNE_TRY(check_words(rule, reader.path()));
  return rule;
}

}  // namespace aftune::text
