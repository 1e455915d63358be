// SPDX-License-Identifier: Apache-2.0
// From tokens that spell characters, and bytes where a character has none, back to a text. Rules:
// docs/formats/tokenizer.md, "Decoding".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "aftune/base/result.h"
#include "aftune/codec/json.h"
#include "aftune/text/internal/text_normalizer.h"

namespace aftune::text {

/// The byte that a token such as "<0x0A>" stands for, or nothing.
std::optional<std::uint8_t> byte_of_token(std::string_view token);
/// "<0x0A>".
std::string token_of_byte(std::uint8_t byte);

/// Immutable once made. Threads: safe from many.
class FallbackDecoder {
 public:
  /// Reads the component `decoder`: a Sequence of Replace, ByteFallback, Fuse and, if it is there,
  /// Strip. Errors: kInvalidInput, kUnsupported, each naming the step.
  static Result<FallbackDecoder> parse(const codec::Json& component);

  /// One text under way. Borrows the decoder.
  class Joining {
   public:
    explicit Joining(const FallbackDecoder& decoder) : decoder_(decoder) {}
    void add(std::string_view token);
    [[nodiscard]] std::string finish() &&;

   private:
    void add_bytes();
    const FallbackDecoder& decoder_;
    std::string text_, bytes_;
  };

 private:
  Replacement replacement_;
  std::string strip_;           // one character
  std::size_t strip_most_ = 0;  // of them at the start
};

}  // namespace aftune::text
