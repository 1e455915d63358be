// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/byte_alphabet.h"

#include <array>

#include "aftune/text/internal/utf8.h"

namespace aftune::text {
namespace {

constexpr char32_t kCharacters = 256 + 68;  // the highest character, plus one

struct Alphabet {
  std::array<std::string, 256> character;
  std::array<int, kCharacters> byte;

  Alphabet() {
    byte.fill(-1);
    char32_t next = 256;
    for (unsigned b = 0; b < 256; ++b) {
      const bool itself = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      const char32_t c = itself ? b : next++;
      append_utf8(character[b], c);
      byte[c] = static_cast<int>(b);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet kAlphabet;
  return kAlphabet;
}

}  // namespace

std::string_view character_of_byte(std::uint8_t byte) { return alphabet().character[byte]; }

std::string spell_bytes(std::string_view raw) {
  std::string spelt;
  spelt.reserve(raw.size() * 2);
  for (const char c : raw) spelt += character_of_byte(static_cast<std::uint8_t>(c));
  return spelt;
}

std::optional<std::string> unspell_bytes(std::string_view spelt) {
  std::string raw;
  for (std::size_t at = 0; at < spelt.size();) {
    const Utf8Step step = utf8_step(spelt, at);
    if (!step.valid || step.code_point >= kCharacters) return std::nullopt;
    const int byte = alphabet().byte[step.code_point];
    if (byte < 0) return std::nullopt;
    raw += static_cast<char>(byte);
    at += step.length;
  }
  return raw;
}

}  // namespace aftune::text
