// SPDX-License-Identifier: Apache-2.0
// The rule from a row to a sample: docs/formats/dataset.md, "From a row to a sample".
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "aftune/codec/json.h"
#include "aftune/text/dataset.h"

namespace aftune::text {
namespace {

using codec::Json;

constexpr std::size_t kLiteralBytes = 65536;
constexpr std::int64_t kMaxId = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMaxSequence = std::int64_t{1} << 20;
constexpr codec::JsonLimits kRowLimits{std::uint64_t{1} << 20, 32, std::uint64_t{1} << 20};
constexpr std::int32_t kIgnored = -100;

Result<std::string> read_literal(codec::JsonReader& reader, std::string_view name) {
  AFTUNE_TRY(std::string literal, reader.string(name));
  if (literal.size() > kLiteralBytes) {
    return Error{Code::kInvalidInput,
                 fmt::format("{}.{}: {} bytes, at most {} are allowed", reader.path(), name,
                             literal.size(), kLiteralBytes)};
  }
  return literal;
}

Status check_words(const TextRule& rule, const std::string& path) {
  const auto refuse = [&](std::string_view name, std::string_view why) {
    return Error{Code::kInvalidInput, fmt::format("{}.{}: {}", path, name, why)};
  };
  const bool is_text = rule.format == "text";
  if (!is_text && rule.format != "prompt_completion") {
    return refuse("format", fmt::format("\"{}\" is unknown", rule.format));
  }
  if (rule.labels != "all" && rule.labels != "completion") {
    return refuse("labels", fmt::format("\"{}\" is unknown", rule.labels));
  }
  if (is_text && rule.labels != "all") return refuse("labels", "must be \"all\" for format text");
  if (is_text && !rule.before_completion.empty()) {
    return refuse("before_completion", "must be empty for format text");
  }
  return ok();
}

Result<std::string> member(const Json& row, std::string_view name) {
  const Json* value = row.find(name);
  if (!value || !value->string()) {
    return Error{Code::kInvalidInput,
                 fmt::format("member \"{}\" is {}", name, value ? "no string" : "missing")};
  }
  return *value->string();
}

/// The whole list of tokens, neither cut nor padded, and where the completion begins.
struct Listed {
  std::vector<std::int32_t> tokens;
  std::size_t completion = 0;
};

Status list(const TextRule& rule, const Tokenizer& tokenizer, std::string_view row, Listed& out) {
  AFTUNE_TRY(const Json json, codec::parse_json(row, kRowLimits));
  if (!json.object()) return Error{Code::kInvalidInput, "no JSON object"};
  const auto add = [&](const std::string& text) -> Status {
    AFTUNE_TRY(const std::vector<std::int32_t> ids, tokenizer.encode(text));
    out.tokens.insert(out.tokens.end(), ids.begin(), ids.end());
    return ok();
  };
  if (rule.bos_id >= 0) out.tokens.push_back(rule.bos_id);
  if (rule.format == "text") {
    AFTUNE_TRY(const std::string text, member(json, "text"));
    AFTUNE_TRY(add(rule.before_prompt + text + rule.after_completion));
  } else {
    AFTUNE_TRY(const std::string prompt, member(json, "prompt"));
    AFTUNE_TRY(const std::string completion, member(json, "completion"));
    AFTUNE_TRY(add(rule.before_prompt + prompt + rule.before_completion));
    out.completion = out.tokens.size();
    AFTUNE_TRY(add(completion + rule.after_completion));
  }
  if (rule.eos_id >= 0) out.tokens.push_back(rule.eos_id);
  return ok();
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
  AFTUNE_TRY(reader.finish());
  rule.bos_id = static_cast<std::int32_t>(bos);
  rule.eos_id = static_cast<std::int32_t>(eos);
  rule.pad_id = static_cast<std::int32_t>(pad);
  rule.sequence = static_cast<std::uint32_t>(sequence);
  AFTUNE_TRY(check_words(rule, reader.path()));
  return rule;
}

Result<Sample> make_sample(const TextRule& rule, const Tokenizer& tokenizer, std::string_view row,
                           std::uint64_t row_index) {
  Listed listed;
  if (Status status = list(rule, tokenizer, row, listed); !status) {
    return std::move(status).error().in(fmt::format("row {}", row_index));
  }
  const std::size_t length = std::min<std::size_t>(listed.tokens.size(), rule.sequence);
  const std::size_t first_counted =
      rule.labels == "completion" ? std::max<std::size_t>(listed.completion, 1) : 1;
  Sample sample;
  sample.tokens = std::move(listed.tokens);
  sample.tokens.resize(length);
  sample.tokens.resize(rule.sequence, rule.pad_id);
  sample.targets.assign(rule.sequence, kIgnored);
  for (std::size_t t = first_counted; t < length; ++t) {
    sample.targets[t - 1] = sample.tokens[t];
    ++sample.counted;
  }
  return sample;
}

}  // namespace aftune::text
