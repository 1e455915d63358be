// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/draft_text.h"

#include <fmt/format.h>

namespace aftune::cli {
namespace {

using text::ChatTemplate;

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{16} << 20;

Result<std::int32_t> token_id(JobReader& text, const text::Tokenizer& tokenizer,
                              std::string_view key) {
  AFTUNE_TRY(const std::string token, text.text_or(key, ""));
  if (token.empty()) return std::int32_t{-1};
  const std::int32_t id = tokenizer.id_of(token);
  if (id >= 0) return id;
  return Error{Code::kInvalidInput,
               fmt::format("{}: the tokenizer has no token \"{}\"", text.where(key), token)};
}

/// The one that the job names, or that of the model.
Result<ChatTemplate> chat_template(JobReader& text, const Path& model,
                                   std::vector<std::string>& notes) {
  if (text.has("chat_template")) {
    AFTUNE_TRY(const std::string name, text.text("chat_template"));
    return text::parse_template(name).in(text.where("chat_template"));
  }
  const Path file = model / "tokenizer_config.json";
  AFTUNE_TRY(const std::string config,
             read_text_file(file, kMaxConfigBytes).in(text.where("chat_template")));
  AFTUNE_TRY(const ChatTemplate id, text::template_of(config).in(file.string()));
  if (id != ChatTemplate::kNone) {
    notes.push_back(fmt::format("text.chat_template: {}", text::template_name(id)));
    return id;
  }
  return Error{Code::kUnsupported,
               fmt::format("{} is missing, and {} has no template that is known: name one, or give "
                           "rows of format tokens",
                           text.where("chat_template"), file.string())};
}

}  // namespace

Result<text::TextRule> draft_text(JobReader& job, const Path& model,
                                  std::vector<std::string>& notes) {
  const Path path = model / "tokenizer.json";
  AFTUNE_TRY(const text::Tokenizer tokenizer,
             text::Tokenizer::load(path).in(job.where("model") + ": " + path.string()));
  AFTUNE_TRY(JobReader text, job.map("text"));
  text::TextRule rule;
  AFTUNE_TRY(rule.format, text.text("format"));
  AFTUNE_TRY(rule.before_prompt, text.text_or("before_prompt", ""));
  AFTUNE_TRY(rule.before_completion, text.text_or("before_completion", ""));
  AFTUNE_TRY(rule.after_completion, text.text_or("after_completion", ""));
  AFTUNE_TRY(rule.bos_id, token_id(text, tokenizer, "bos"));
  AFTUNE_TRY(rule.eos_id, token_id(text, tokenizer, "eos"));
  AFTUNE_TRY(rule.pad_id, token_id(text, tokenizer, "pad"));
  if (rule.pad_id < 0) {
    rule.pad_id = 0;
    notes.emplace_back("text.pad: token 0");
  }
  AFTUNE_TRY(const std::uint64_t sequence, text.count("sequence", 2, 1 << 20));
  rule.sequence = static_cast<std::uint32_t>(sequence);
  AFTUNE_TRY(rule.labels, text.text("labels"));
  if (rule.format == "messages") {
    AFTUNE_TRY(rule.chat_template, chat_template(text, model, notes));
  }
  AFTUNE_TRY(rule.packing, text.boolean_or("packing", false));
  AFTUNE_TRY(text.finish());
  return rule;
}

Result<std::uint64_t> sample_count(const text::TextRule& rule, const Path& model,
                                   const text::Dataset& data) {
  if (!rule.packing) return data.row_count();
  AFTUNE_TRY(const text::Tokenizer tokenizer, text::Tokenizer::load(model / "tokenizer.json"));
  AFTUNE_TRY(const auto first_rows, text::pack(rule, tokenizer, data));
  return first_rows.size();
}

}  // namespace aftune::cli
