// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <utility>

#include "aftune/codec/json.h"

namespace aftune::codec {
namespace {

using Limits = std::numeric_limits<double>;

TEST(HexFloat, KnownSpellings) {
  const std::pair<double, const char*> known[] = {
      {0.0, "0x0p+0"},
      {-0.0, "-0x0p+0"},
      {1.0, "0x1p+0"},
      {-1.5, "-0x1.8p+0"},
      {0.1875, "0x1.8p-3"},
      {0.1, "0x1.999999999999ap-4"},
      {1024.0, "0x1p+10"},
      {Limits::denorm_min(), "0x1p-1074"},
      {3 * Limits::denorm_min(), "0x1.8p-1073"},
      {std::nextafter(Limits::min(), 0.0), "0x1.ffffffffffffep-1023"},
      {Limits::min(), "0x1p-1022"},
      {Limits::max(), "0x1.fffffffffffffp+1023"},
      {-std::nextafter(2 * Limits::min(), 0.0), "-0x1.fffffffffffffp-1022"},
      {static_cast<double>(0.1F), "0x1.99999ap-4"},
      {static_cast<double>(std::numeric_limits<float>::denorm_min()), "0x1p-149"},
  };
  for (const auto& [value, text] : known) {
    EXPECT_EQ(hex_float(value), text);
    const auto read = parse_hex_float(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(*read), std::bit_cast<std::uint64_t>(value)) << text;
  }
}

TEST(HexFloat, RandomBitsReadBack) {
  std::mt19937_64 random(20240601);
  for (int i = 0; i < 20000; ++i) {
    std::uint64_t bits = random();
    if (i % 4 == 0) bits &= ~(std::uint64_t{0x7ff} << 52);  // subnormals
    if (i % 4 == 1) bits &= ~std::uint64_t{0xffffffffff};   // few digits
    const auto value = std::bit_cast<double>(bits);
    if (!std::isfinite(value)) continue;
    const std::string text = hex_float(value);
    ASSERT_LE(text.size(), 24u);
    const auto read = parse_hex_float(text);
    ASSERT_TRUE(read) << text;
    ASSERT_EQ(std::bit_cast<std::uint64_t>(*read), bits) << text;
    ASSERT_EQ(std::strtod(text.c_str(), nullptr), value) << text;
  }
}

TEST(HexFloat, OtherSpellingsAreRefused) {
  for (const char* lie : {"",
                          "-",
                          "0x",
                          "0x1",
                          "0x1p",
                          "0x1p0",
                          "0x1p+",
                          "0x1p+00",
                          "0x1p-0",
                          "0x1.p+0",
                          "0x1.80p-3",
                          "0x1.8p-03",
                          "0x2p+0",
                          "0x.8p+0",
                          "0x0.8p+0",
                          "0x01p+0",
                          "0x0p+1",
                          "0x0.0p+0",
                          "0X1p+0",
                          "0x1P+0",
                          "0x1.Ap+0",
                          "+0x1p+0",
                          " 0x1p+0",
                          "0x1p+0 ",
                          "--0x1p+0",
                          "0x-1p+0",
                          "1.5",
                          "1",
                          "inf",
                          "-inf",
                          "nan",
                          "0xinf",
                          "0xnan",
                          "0x1p+1024",
                          "0x1p-1075",
                          "0x0.0000000000001p-1022",
                          "0x1.00000000000001p+0",
                          "0x1.fffffffffffff8p+1023",
                          "0x1.000000000000000000000p+0"}) {
    const auto read = parse_hex_float(lie);
    ASSERT_FALSE(read) << lie;
    EXPECT_EQ(read.error().code, Code::kInvalidInput);
  }
  EXPECT_FALSE(parse_hex_float(std::string_view("0x1p+0\0", 7)));
}

TEST(HexFloat, MessagesQuoteNoLongOrBrokenText) {
  EXPECT_EQ(parse_hex_float("1.5").error().what, "\"1.5\" is no hex float such as 0x1.8p-3");
  EXPECT_EQ(parse_hex_float("\xff").error().what, "\"...\" is no hex float such as 0x1.8p-3");
  EXPECT_LT(parse_hex_float(std::string(100000, '1')).error().what.size(), 100u);
}

TEST(HexFloatDeathTest, InfinityHasNoSpelling) {
  EXPECT_DEATH((void)hex_float(Limits::infinity()), "only finite numbers");
}

}  // namespace
}  // namespace aftune::codec
