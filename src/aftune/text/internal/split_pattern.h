// SPDX-License-Identifier: Apache-2.0
// Where a tokenizer's pattern matches in a text, with bounded work. Syntax and bounds:
// docs/formats/tokenizer.md, "Splitting".
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"

namespace aftune::text {

struct TextRange {
  std::size_t begin, end;  // bytes
  friend bool operator==(const TextRange&, const TextRange&) = default;
};

/// A compiled pattern. Threads: safe from many.
class SplitPattern {
 public:
  /// Errors: kUnsupported for syntax outside the subset or a pattern that matches the empty text.
  static Result<SplitPattern> regex(std::string_view pattern);
  /// Matches `text` itself. Errors: kUnsupported for an empty one.
  static Result<SplitPattern> literal(std::string_view text);

  SplitPattern(SplitPattern&&) noexcept;
  SplitPattern& operator=(SplitPattern&&) noexcept;
  ~SplitPattern();

  /// All matches from left to right. Requires: valid UTF-8.
  /// Errors: kInvalidInput if the pattern needs more than the bounded work on this text.
  [[nodiscard]] Result<std::vector<TextRange>> matches(std::string_view text) const;

 private:
  struct Compiled;
  explicit SplitPattern(std::unique_ptr<Compiled> compiled);
  static Result<SplitPattern> compile(std::string_view pattern, unsigned options);

  std::unique_ptr<Compiled> compiled_;
};

}  // namespace aftune::text
