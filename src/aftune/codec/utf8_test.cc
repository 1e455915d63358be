// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace aftune::codec {
namespace {

std::string encode(std::uint32_t point) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xC0 | (point >> 6)), byte(0x80 | (point & 63))};
  if (point < 0x10000) {
    return {byte(0xE0 | (point >> 12)), byte(0x80 | ((point >> 6) & 63)),
            byte(0x80 | (point & 63))};
  }
  return {byte(0xF0 | (point >> 18)), byte(0x80 | ((point >> 12) & 63)),
          byte(0x80 | ((point >> 6) & 63)), byte(0x80 | (point & 63))};
}

TEST(Utf8, EveryCodePointButSurrogatesIsText) {
  for (std::uint32_t point = 0; point < 0x120000; ++point) {
    const bool expected = point < 0x110000 && (point < 0xD800 || point > 0xDFFF);
    ASSERT_EQ(is_utf8(encode(point)), expected) << std::hex << point;
  }
}

TEST(Utf8, EveryPairOfBytesThatIsTextIsTwoAsciiOrOneSequence) {
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      const bool expected = (a < 0x80 && b < 0x80) || (a >= 0xC2 && a < 0xE0 && (b & 0xC0) == 0x80);
      ASSERT_EQ(is_utf8(std::string{static_cast<char>(a), static_cast<char>(b)}), expected);
    }
  }
}

TEST(Utf8, LiesAreRefusedWhereverTheyStand) {
  for (const std::string lie : {"\xC3", "\x80", "\xC0\xAF", "\xE0\x80\xAF", "\xF0\x8F\xBF\xBF",
                                "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\xF0\x9F\x98"}) {
    EXPECT_FALSE(is_utf8(lie));
    EXPECT_FALSE(is_utf8("text " + lie));
    EXPECT_FALSE(is_utf8(lie + " text"));
  }
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("\xF0\x9F\x98\x80 text"));
}

}  // namespace
}  // namespace aftune::codec
