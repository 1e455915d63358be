// SPDX-License-Identifier: Apache-2.0
// Tokens that are found in a text before it is split. Rules: docs/formats/tokenizer.md, "Added
// tokens".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/codec/json.h"
#include "aftune/text/internal/split_pattern.h"

namespace aftune::text {

struct AddedToken {
  std::int32_t id;
  std::string content;
  bool single_word, lstrip, rstrip, normalized, special;
};

/// Errors: kInvalidInput, naming the item of `path` that is malformed or occurs twice.
Result<std::vector<AddedToken>> parse_added_tokens(const codec::Json& array,
                                                   const std::string& path);

/// A stretch of text: an added token, or text between them (id -1).
struct Stretch {
  TextRange range;
  std::int32_t id;
  friend bool operator==(const Stretch&, const Stretch&) = default;
};

/// Finds a set of added tokens. Threads: safe from many.
/// Cost: O(n) tries, each at most the longest content.
class AddedTokenFinder {
 public:
  /// The tokens as they are to be spelt in the text.
  static Result<AddedTokenFinder> create(std::vector<AddedToken> tokens);

  /// `text` as stretches from left to right, none of them empty. Requires: valid UTF-8.
  [[nodiscard]] Result<std::vector<Stretch>> split(std::string_view text) const;

 private:
  AddedTokenFinder(std::vector<AddedToken> tokens, SplitPattern word)
      : tokens_(std::move(tokens)), word_(std::move(word)) {}
  [[nodiscard]] const AddedToken* longest_at(std::string_view text) const;
  [[nodiscard]] Result<bool> touches_word(std::string_view text, TextRange range) const;

  std::vector<AddedToken> tokens_;  // ascending by content
  SplitPattern word_;               // one word character
};

}  // namespace aftune::text
