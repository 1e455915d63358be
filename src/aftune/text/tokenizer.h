// SPDX-License-Identifier: Apache-2.0
// BPE of bytes or of characters as Hugging Face's tokenizer.json states it. What is supported, and
// the exact rules: docs/formats/tokenizer.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/base/result.h"

namespace aftune::text {

/// Immutable once made. Threads: safe from many.
class Tokenizer {
 public:
  /// Errors: kInvalidInput for malformed JSON, ids that are no permutation of [0, count) or merges
  ///         of unknown tokens; kUnsupported for a component this build does not know, named.
  static Result<Tokenizer> parse(std::string_view tokenizer_json);
  static Result<Tokenizer> load(const Path& tokenizer_json);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Token ids of `text`; added tokens in it are recognised, nothing is put in front or behind.
  /// Errors: kInvalidInput for invalid UTF-8, naming the byte position.
  [[nodiscard]] Result<std::vector<std::int32_t>> encode(std::string_view text) const;

  /// The text of `ids`; bytes that are no valid UTF-8 become U+FFFD. Special tokens are dropped
  /// if `skip_special`. Errors: kInvalidInput for an unknown id.
  [[nodiscard]] Result<std::string> decode(std::span<const std::int32_t> ids,
                                           bool skip_special) const;

  /// Whether texts decoded one after the other make the text of all ids, but for a character that
  /// is cut: not where the decoder takes spaces away from the beginning of each.
  [[nodiscard]] bool decodes_in_pieces() const;

  [[nodiscard]] std::int32_t vocab_size() const;
  /// The id of a token spelt exactly so, or -1.
  [[nodiscard]] std::int32_t id_of(std::string_view token) const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

}  // namespace aftune::text
