// SPDX-License-Identifier: Apache-2.0
// JSONL data sets: raw rows, their root, and the rule from a row to tokens and targets.
// Rules: docs/formats/dataset.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/base/result.h"
#include "aftune/codec/json_reader.h"
#include "aftune/crypto/digest.h"
#include "aftune/text/chat_template.h"
#include "aftune/text/tokenizer.h"

namespace aftune::text {

inline constexpr std::uint64_t kMaxRowBytes = std::uint64_t{1} << 20;

/// The raw rows of a JSONL file, without their line ends. Threads: safe to read from many.
class Dataset {
 public:
  /// Errors: kNotFound; kInvalidInput for an empty file, an empty line, a row over 1 MiB or a
  ///         carriage return before a line end, naming the line; kUnavailable.
  static Result<Dataset> load(const Path& jsonl);
  static Result<Dataset> parse(std::string text);

  [[nodiscard]] std::uint64_t row_count() const { return starts_.size(); }
  /// Requires: index < row_count().
  [[nodiscard]] std::string_view row(std::uint64_t index) const;

  /// RFC 6962 root over the rows: leaf = index as 8 bytes big-endian || salt (16 bytes) || row.
  [[nodiscard]] Digest root(Bytes salt) const;

 private:
  std::string text_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> starts_;  // offset, length
};

/// The contract's rule from a row to a sample; the object "text" of docs/formats/contract.md.
struct TextRule {
  std::string format;         // "text", "prompt_completion", "messages" or "tokens"
  std::string before_prompt;  // literal text around the parts; special tokens in it count
  std::string before_completion;
  std::string after_completion;
  std::int32_t bos_id = -1;  // put in front if >= 0
  std::int32_t eos_id = -1;  // put behind if >= 0
  std::int32_t pad_id = 0;
  std::uint32_t sequence = 0;  // tokens a sample: longer rows are cut on the right, shorter padded
  std::string labels;          // "completion" or "all"
  ChatTemplate chat_template = ChatTemplate::kNone;  // of format "messages", and of no other
  bool packing = false;                              // several rows a sample

  friend bool operator==(const TextRule&, const TextRule&) = default;
};

codec::Json to_contract(const TextRule& rule);
Result<TextRule> text_rule_from_contract(codec::JsonReader& reader);

/// One sample: `tokens` and `targets` of length rule.sequence; targets[t] is the token after t
/// where that token counts, else numerics' ignored label -100.
struct Sample {
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> targets;
  std::uint64_t counted = 0;
  /// Where each document ends, ascending, the last at rule.sequence; empty without packing.
  std::vector<std::uint32_t> document_ends = {};
};

/// Errors: kInvalidInput for a row that is not of the rule's form, naming the row index.
Result<Sample> make_sample(const TextRule& rule, const Tokenizer& tokenizer, std::string_view row,
                           std::uint64_t row_index);

/// The rows [begin, end) in one sample. Requires: they are one of pack()'s.
Result<Sample> make_packed_sample(const TextRule& rule, const Tokenizer& tokenizer,
                                  const Dataset& data, std::uint64_t begin, std::uint64_t end);

/// The first row of each packed sample, ascending. Errors: those of make_sample.
/// Cost: each row is tokenized once.
Result<std::vector<std::uint64_t>> pack(const TextRule& rule, const Tokenizer& tokenizer,
                                        const Dataset& data);

}  // namespace aftune::text
