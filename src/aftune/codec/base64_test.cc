// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/base64.h"

#include <gtest/gtest.h>

namespace aftune::codec {
namespace {

// RFC 4648 section 10.
TEST(Base64, KnownSpellings) {
  const std::pair<const char*, const char*> known[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : known) {
    EXPECT_EQ(to_base64(as_bytes(bytes)), text);
    const auto read = from_base64(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(as_text(*read), bytes);
  }
}

TEST(Base64, EveryShortLengthReadsBack) {
  ByteBuffer bytes;
  for (unsigned size = 0; size < 260; ++size) {
    const auto read = from_base64(to_base64(bytes));
    ASSERT_TRUE(read) << size;
    ASSERT_EQ(*read, bytes);
    bytes.push_back(static_cast<std::uint8_t>(size * 89));
  }
}

TEST(Base64, ZeroBytesBeforePaddingAreKept) {
  for (std::size_t size = 1; size <= 6; ++size) {
    EXPECT_EQ(from_base64(to_base64(ByteBuffer(size)))->size(), size);
  }
}

TEST(Base64, SecondSpellingsAreRefused) {
  struct Lie {
    const char *name, *text;
  };
  constexpr Lie kLies[] = {
      {"no padding", "Zg"},
      {"half of the padding", "Zg="},
      {"padding alone", "===="},
      {"three paddings", "Z==="},
      {"padding inside", "Zg==Zg=="},
      {"padding before the end", "Zg=a"},
      {"unused bits, two", "Zh=="},
      {"unused bits, one", "Zm9="},
      {"url-safe", "_-__"},
      {"space", "Zm9 "},
      {"line break", "Zm9v\n"},
      {"line break inside", "Zm\n9v=="},
      {"byte above ASCII", "Zm9\xff"},
      {"extra group of padding", "Zm9v===="},
  };
  for (const Lie& lie : kLies) {
    const auto read = from_base64(lie.text);
    ASSERT_FALSE(read) << lie.name;
    EXPECT_EQ(read.error().code, Code::kInvalidInput);
  }
}

TEST(Base64, TwoTextsNeverReadAsTheSameBytes) {
  // Each of the 64^2 spellings of one byte with its padding: 256 are valid.
  const std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  int valid = 0;
  for (const char first : alphabet) {
    for (const char second : alphabet) {
      const std::string text = {first, second, '=', '='};
      const auto read = from_base64(text);
      if (!read) continue;
      ++valid;
      EXPECT_EQ(to_base64(*read), text);
    }
  }
  EXPECT_EQ(valid, 256);
}

}  // namespace
}  // namespace aftune::codec
