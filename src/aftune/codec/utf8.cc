// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/utf8.h"

#include <cstddef>
#include <cstdint>

namespace aftune::codec {
namespace {

// How many bytes a sequence has, by its first byte; 0 for bytes that begin none.
std::size_t sequence_size(std::uint8_t first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return 2;
  if (first >= 0xE0 && first < 0xF0) return 3;
  if (first >= 0xF0 && first < 0xF5) return 4;
  return 0;
}

// The second byte excludes overlong forms, surrogates and what lies above U+10FFFF.
bool is_second(std::uint8_t first, std::uint8_t second) {
  const std::uint8_t least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  return second >= least && second <= most;
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = sequence_size(byte(at));
    if (size == 0 || size > text.size() - at) return false;
    if (size > 1 && !is_second(byte(at), byte(at + 1))) return false;
    for (std::size_t k = 2; k < size; ++k) {
      if ((byte(at + k) & 0xC0) != 0x80) return false;
    }
    at += size;
  }
  return true;
}

}  // namespace aftune::codec
