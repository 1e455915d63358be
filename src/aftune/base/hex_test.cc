// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/hex.h"

#include <gtest/gtest.h>

#include "aftune/base/endian.h"

namespace aftune {
namespace {

TEST(Hex, EachByteHasTwoLowerCaseDigits) {
  EXPECT_EQ(to_hex({}), "");
  EXPECT_EQ(to_hex(ByteBuffer{0x00, 0x0f, 0xa0, 0xff}), "000fa0ff");
}

TEST(Hex, EveryByteReadsBack) {
  for (unsigned value = 0; value < 256; ++value) {
    const ByteBuffer bytes = {static_cast<std::uint8_t>(value)};
    const auto read = from_hex(to_hex(bytes));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, bytes);
  }
  EXPECT_TRUE(from_hex("")->empty());
}

TEST(Hex, OtherSpellingsAreRefused) {
  for (const char* text : {"0", "000", "0A", "0g", "0x00", " 00", "00 ", "0/", "0:", "0`",
                           "\xff"
                           "0"}) {
    const auto read = from_hex(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Code::kInvalidInput);
  }
  EXPECT_EQ(from_hex("00zz").error().what, "hex text has byte 0x7a at position 2");
}

TEST(Endian, OrderOfBytesIsTheStatedOne) {
  const auto little = store_le(std::uint32_t{0x01020304});
  EXPECT_EQ(to_hex(little), "04030201");
  EXPECT_EQ(to_hex(store_be(std::uint32_t{0x01020304})), "01020304");
  EXPECT_EQ(load_le<std::uint32_t>(little.data()), 0x01020304u);
  EXPECT_EQ(to_hex(store_be(std::uint64_t{0xff})), "00000000000000ff");
}

}  // namespace
}  // namespace aftune
