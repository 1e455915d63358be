// SPDX-License-Identifier: Apache-2.0
// What changes a text before it is split. Rules: docs/formats/tokenizer.md, "Normalizing".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/codec/json.h"
#include "aftune/codec/json_reader.h"

namespace aftune::text {

/// What the tokens of a vocabulary spell.
enum class Alphabet {
  kBytes,       // bytes as characters: "ByteLevel"
  kCharacters,  // characters, and bytes where one has no token: "byte fallback"
};

/// Immutable once made. Threads: safe from many.
class TextNormalizer {
 public:
  /// Reads the component `normalizer`; null or absent is none. Errors: kInvalidInput; kUnsupported
  /// for steps that tokenizers of this alphabet do not have here, named.
  static Result<TextNormalizer> parse(const codec::Json* component, Alphabet alphabet);

  [[nodiscard]] bool changes_text() const { return !steps_.empty(); }
  /// Requires: valid UTF-8. Errors: those of nfc().
  [[nodiscard]] Result<std::string> apply(std::string_view text) const;

 private:
  enum class Kind { kNfc, kPrepend, kReplace };
  struct Step {
    Kind kind;
    std::string text, content;  // prepended; or replaced by `content`
  };

  Status add_nfc(codec::JsonReader component);
  Status add_marking(codec::JsonReader component);

  std::vector<Step> steps_;
};

/// `text` with each `from` replaced, from left to right. Requires: `from` is not empty.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

/// The members `pattern` ({"String": ...}) and `content` of a step that replaces.
/// Errors: kInvalidInput; kUnsupported for another pattern and for an empty one.
struct Replacement {
  std::string from, to;
};
Result<Replacement> read_replacement(codec::JsonReader& component);

}  // namespace aftune::text
