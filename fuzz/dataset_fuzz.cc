// SPDX-License-Identifier: Apache-2.0
// Rows of a data set and the samples made of them. The first byte chooses the rule.
#include <algorithm>

#include "aftune/text/dataset.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

text::TextRule rule_of(std::uint8_t choice) {
  text::TextRule rule;
  rule.sequence = (choice & 64) != 0 ? 2 : 24;
  if ((choice & 128) != 0) {
    rule.format = (choice & 1) != 0 ? "messages" : "tokens";
    rule.labels = (choice & 2) != 0 ? "all" : "completion";
    if (rule.format == "messages") {
      rule.chat_template =
          (choice & 4) != 0 ? text::ChatTemplate::kLlama3 : text::ChatTemplate::kSmollm2;
    }
    return rule;
  }
  const bool is_text = (choice & 1) != 0;
  rule.format = is_text ? "text" : "prompt_completion";
  rule.labels = is_text || (choice & 2) != 0 ? "all" : "completion";
  rule.before_prompt = (choice & 4) != 0 ? "<|im_start|>user\n" : "";
  rule.after_completion = (choice & 8) != 0 ? "<|im_end|>\n" : "";
  rule.bos_id = (choice & 16) != 0 ? 1 : -1;
  rule.eos_id = (choice & 32) != 0 ? 2 : -1;
  return rule;
}

void check_sample(const text::TextRule& rule, const text::Sample& sample) {
  constexpr std::int32_t kIgnored = -100;
  AFTUNE_CHECK(sample.tokens.size() == rule.sequence && sample.targets.size() == rule.sequence,
               "another length than the rule's");
  std::uint64_t counted = 0;
  for (std::size_t t = 0; t < sample.targets.size(); ++t) {
    if (sample.targets[t] == kIgnored) continue;
    ++counted;
    AFTUNE_CHECK(t + 1 < sample.tokens.size() && sample.targets[t] == sample.tokens[t + 1],
                 "a target that is not the next token");
  }
  AFTUNE_CHECK(counted == sample.counted, "another number of counted tokens");
}

/// Packed samples hold each row once, and as many counted tokens as the rows apart.
void check_packed(const text::TextRule& rule, const text::Tokenizer& tokenizer,
                  const text::Dataset& data, std::uint64_t counted) {
  const auto firsts = text::pack(rule, tokenizer, data);
  AFTUNE_CHECK(firsts && firsts->front() == 0, "rows that are samples do not pack");
  for (std::size_t i = 0; i < firsts->size(); ++i) {
    const std::uint64_t end = i + 1 < firsts->size() ? (*firsts)[i + 1] : data.row_count();
    AFTUNE_CHECK((*firsts)[i] < end, "a sample without rows");
    const auto sample = text::make_packed_sample(rule, tokenizer, data, (*firsts)[i], end);
    AFTUNE_CHECK(sample.has_value(), "a packed sample");
    check_sample(rule, *sample);
    AFTUNE_CHECK(sample->document_ends.back() == rule.sequence, "documents end before the sample");
    AFTUNE_CHECK(sample->counted <= counted, "more counted tokens than the rows have");
    counted -= sample->counted;
  }
  AFTUNE_CHECK(counted == 0, "counted tokens were lost");
}

}  // namespace

bool decode_one(Bytes input) {
  static const auto tokenizer = text::Tokenizer::parse(tree_file("examples/tiny/tokenizer.json"));
  AFTUNE_CHECK(tokenizer.has_value(), "the example's tokenizer");
  const text::TextRule rule = rule_of(take_byte(input));
  const std::string_view file = as_text(input);
  const auto data = text::Dataset::parse(std::string(file));
  if (!data) return false;
  std::string joined;
  std::uint64_t samples = 0, counted = 0;
  for (std::uint64_t i = 0; i < data->row_count(); ++i) {
    joined += data->row(i);
    joined += '\n';
    if (const auto sample = text::make_sample(rule, *tokenizer, data->row(i), i)) {
      check_sample(rule, *sample);
      ++samples;
      counted += sample->counted;
    }
  }
  if (samples == data->row_count()) check_packed(rule, *tokenizer, *data, counted);
  if (!file.ends_with('\n')) joined.pop_back();
  AFTUNE_CHECK(joined == file, "the rows are not the file");
  const auto again = text::Dataset::parse(joined);
  const ByteBuffer salt(16, 5);
  AFTUNE_CHECK(again && again->root(salt) == data->root(salt), "another root");
  return samples > 0;
}

}  // namespace aftune::fuzz
