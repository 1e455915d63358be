// SPDX-License-Identifier: Apache-2.0
// The rule from a row to a sample: docs/formats/dataset.md, "From a row to a sample".
#include <fmt/format.h>

#include <algorithm>

#include "aftune/base/check.h"
#include "aftune/text/dataset.h"
#include "aftune/text/internal/row_tokens.h"

namespace aftune::text {
namespace {

constexpr std::int32_t kIgnored = -100;

/// The row's tokens, cut to a sample.
Result<RowTokens> cut_row(const TextRule& rule, const Tokenizer& tokenizer, std::string_view row,
                          std::uint64_t row_index) {
  AFTUNE_TRY(RowTokens out,
             tokenize_row(rule, tokenizer, row).in(fmt::format("row {}", row_index)));
  const std::size_t length = std::min<std::size_t>(out.tokens.size(), rule.sequence);
  out.tokens.resize(length);
  out.counts.resize(length);
  return out;
}

Sample empty_sample(const TextRule& rule) {
  Sample out;
  out.tokens.assign(rule.sequence, rule.pad_id);
  out.targets.assign(rule.sequence, kIgnored);
  return out;
}

/// Puts the row at `begin`: its first token is nobody's target.
void place(const RowTokens& row, std::size_t begin, Sample& out) {
  AFTUNE_CHECK(begin + row.tokens.size() <= out.tokens.size(), "a sample with too many tokens");
  std::copy(row.tokens.begin(), row.tokens.end(),
            out.tokens.begin() + static_cast<std::ptrdiff_t>(begin));
  for (std::size_t t = 1; t < row.tokens.size(); ++t) {
    if (!row.counts[t]) continue;
    out.targets[begin + t - 1] = row.tokens[t];
    ++out.counted;
  }
}

}  // namespace

Result<Sample> make_sample(const TextRule& rule, const Tokenizer& tokenizer, std::string_view row,
                           std::uint64_t row_index) {
  AFTUNE_TRY(const RowTokens cut, cut_row(rule, tokenizer, row, row_index));
  Sample sample = empty_sample(rule);
  place(cut, 0, sample);
  return sample;
}

Result<Sample> make_packed_sample(const TextRule& rule, const Tokenizer& tokenizer,
                                  const Dataset& data, std::uint64_t begin, std::uint64_t end) {
  Sample sample = empty_sample(rule);
  std::uint32_t at = 0;
  for (std::uint64_t row = begin; row < end; ++row) {
    AFTUNE_TRY(const RowTokens cut, cut_row(rule, tokenizer, data.row(row), row));
    if (cut.tokens.empty()) continue;
    place(cut, at, sample);
    at += static_cast<std::uint32_t>(cut.tokens.size());
    sample.document_ends.push_back(at);
  }
  if (sample.document_ends.empty()) sample.document_ends.push_back(0);
  sample.document_ends.back() = rule.sequence;  // the padding goes on where the last row ends
  return sample;
}

Result<std::vector<std::uint64_t>> pack(const TextRule& rule, const Tokenizer& tokenizer,
                                        const Dataset& data) {
  std::vector<std::uint64_t> firsts;
  std::size_t used = 0;
  for (std::uint64_t row = 0; row < data.row_count(); ++row) {
    AFTUNE_TRY(const RowTokens cut, cut_row(rule, tokenizer, data.row(row), row));
    if (firsts.empty() || used + cut.tokens.size() > rule.sequence) {
      firsts.push_back(row);
      used = 0;
    }
    used += cut.tokens.size();
  }
  return firsts;
}

}  // namespace aftune::text
