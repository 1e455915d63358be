// SPDX-License-Identifier: Apache-2.0
// UTF-8, one character at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace aftune::text {

/// What stands at a position: a character of `length` bytes, or, if not valid, a maximal part of
/// an ill-formed sequence (Unicode standard, section 3.9).
struct Utf8Step {
  bool valid;
  std::size_t length;   // at least 1
  char32_t code_point;  // where valid
};

/// Requires: at < text.size().
Utf8Step utf8_step(std::string_view text, std::size_t at);

/// The position of the first byte that is no part of a valid character, or text.size().
std::size_t utf8_valid_prefix(std::string_view text);

/// The characters of `bytes`, each maximal ill-formed part replaced by U+FFFD.
std::string utf8_lossy(std::string_view bytes);

/// Requires: a scalar value (no surrogate, at most 0x10FFFF).
void append_utf8(std::string& text, char32_t code_point);

/// Unicode's White_Space.
bool is_white_space(char32_t code_point);

}  // namespace aftune::text
