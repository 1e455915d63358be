// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/utf8.h"

#include <gtest/gtest.h>

#include "aftune/text/internal/byte_alphabet.h"

namespace aftune::text {
namespace {

TEST(Utf8, EveryScalarValueIsReadAsItIsWritten) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    const Utf8Step step = utf8_step(text, 0);
    ASSERT_TRUE(step.valid && step.length == text.size() && step.code_point == c)
        << std::hex << static_cast<std::uint32_t>(c);
  }
}

TEST(Utf8, InvalidBytesAreFoundAndReplacedByMaximalParts) {
  struct Case {
    std::string name, bytes;
    std::size_t valid;
    std::string lossy;
  };
  const std::string r = "\xEF\xBF\xBD";
  const Case cases[] = {
      {"lone continuation", "a\x80z", 1, "a" + r + "z"},
      {"overlong slash", "\xC0\xAF", 0, r + r},
      {"overlong three", "\xE0\x80\xAF", 0, r + r + r},
      {"surrogate", "\xED\xA0\x80", 0, r + r + r},
      {"above the last", "\xF4\x90\x80\x80", 0, r + r + r + r},
      {"cut short", "ok\xF0\x9F\x98", 2, "ok" + r},
      {"cut by a letter", "\xE4\xB8z", 0, r + "z"},
      {"no lead", "\xFF", 0, r},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(utf8_valid_prefix(c.bytes), c.valid) << c.name;
    EXPECT_EQ(utf8_lossy(c.bytes), c.lossy) << c.name;
  }
  const std::string fine = "a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80";
  EXPECT_EQ(utf8_valid_prefix(fine), fine.size());
  EXPECT_EQ(utf8_lossy(fine), fine);
}

TEST(ByteAlphabet, SpellsEveryByteByItsOwnCharacter) {
  for (int first = 0; first < 256; ++first) {
    const std::string raw(1, static_cast<char>(first));
    EXPECT_EQ(unspell_bytes(spell_bytes(raw)), raw);
  }
  EXPECT_EQ(spell_bytes("a b\n"), "a\u0120b\u010a");
}

TEST(ByteAlphabet, OtherCharactersStandForNothing) {
  for (const char* text : {" ", "\n", "\u4e2d", "\u0144", "\u00ad", "a b"}) {
    EXPECT_FALSE(unspell_bytes(text)) << text;
  }
  EXPECT_TRUE(unspell_bytes("\u0143"));
}

}  // namespace
}  // namespace aftune::text
