// SPDX-License-Identifier: Apache-2.0
// The text of an output as its tokens come, and when it ends: docs/formats/sampling.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/text/tokenizer.h"

namespace aftune::receipt {

enum class Finish { kEos, kStop, kLength };
std::string_view finish_name(Finish finish);  // "eos", "stop", "length"
/// Errors: kInvalidInput.
Result<Finish> parse_finish(std::string_view name);

/// What ends a text.
struct StopRule {
  std::vector<std::int32_t> eos;
  std::vector<std::string> stop;
  std::uint64_t limit = 0;  // tokens of the output, at least 1
};

/// At most 16 strings of 1 to 256 bytes of UTF-8. Errors: kInvalidInput.
Status check_stop_strings(const std::vector<std::string>& stop);

/// Threads: one at a time.
class OutputText {
 public:
  /// `tokenizer` must outlive the object.
  OutputText(const text::Tokenizer& tokenizer, StopRule rule);

  /// Takes the next token; says whether it ends the text, and why.
  /// Requires: the text has not ended. Errors: kInvalidInput for an id that is no token.
  Result<std::optional<Finish>> push(std::int32_t token);

  /// The text so far; once it has ended, the whole text.
  [[nodiscard]] const std::string& text() const { return text_; }
  /// How much of text() no later token can change: what may be shown while it grows.
  [[nodiscard]] std::size_t settled() const;
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  [[nodiscard]] std::optional<std::size_t> find_stop(std::size_t from) const;

  const text::Tokenizer* tokenizer_;  // borrowed
  StopRule rule_;
  std::size_t longest_stop_ = 0;
  std::string text_;
  std::size_t whole_ = 0;           // bytes of text_ whose characters are complete
  std::vector<std::int32_t> tail_;  // the tokens of the rest
  std::uint64_t count_ = 0;
  bool ended_ = false;
};

}  // namespace aftune::receipt
