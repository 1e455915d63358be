// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/quantised.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <vector>

#include "aftune/model/gguf_testing.h"

namespace aftune::model {
namespace {

std::vector<float> values_of(QuantisedType type, const std::vector<std::uint8_t>& encoded,
                             std::size_t count) {
  std::vector<float> out(count);
  dequantise(type, encoded, out);
  return out;
}

/// A block: the given bytes, then 16 bytes of which byte i has i low and 15 - i high.
std::vector<std::uint8_t> nibble_block(std::vector<std::uint8_t> head) {
  for (unsigned i = 0; i < 16; ++i) {
    head.push_back(static_cast<std::uint8_t>(i | ((15 - i) << 4)));
  }
  return head;
}

TEST(Quantised, F32KeepsEveryBit) {
  const std::string raw =
      testing::u32(0x80000000) + testing::u32(0x00000001) + testing::u32(0x7F7FFFFF);
  const auto got = values_of(QuantisedType::kF32, {raw.begin(), raw.end()}, 3);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(got[0]), 0x80000000U);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(got[1]), 1U);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(got[2]), 0x7F7FFFFFU);
}

TEST(Quantised, HalvesWidenWithoutChange) {
  // fp16: 1, -2, the smallest subnormal, the largest number
  EXPECT_EQ(values_of(QuantisedType::kF16, {0x00, 0x3C, 0x00, 0xC0, 0x01, 0x00, 0xFF, 0x7B}, 4),
            (std::vector<float>{1.0F, -2.0F, 0x1p-24F, 65504.0F}));
  // bf16: 1, -2, 2^-133
  EXPECT_EQ(values_of(QuantisedType::kBF16, {0x80, 0x3F, 0x00, 0xC0, 0x01, 0x00}, 3),
            (std::vector<float>{1.0F, -2.0F, 0x1p-133F}));
}

TEST(Quantised, Q4_0IsNibbleLessEightTimesScale) {
  // d = 0.5
  const auto got = values_of(QuantisedType::kQ4_0, nibble_block({0x00, 0x38}), 32);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(got[static_cast<std::size_t>(i)], 0.5F * static_cast<float>(i - 8)) << i;
    EXPECT_EQ(got[static_cast<std::size_t>(i + 16)], 0.5F * static_cast<float>(7 - i)) << i;
  }
}

TEST(Quantised, Q4_0KeepsTheSignOfZero) {
  // d = -1: nibble 8 gives (+0) * -1 = -0
  std::vector<std::uint8_t> block(18, 0x88);
  block[0] = 0x00;
  block[1] = 0xBC;
  EXPECT_EQ(std::bit_cast<std::uint32_t>(values_of(QuantisedType::kQ4_0, block, 32)[0]),
            0x80000000U);
}

TEST(Quantised, Q4_1IsNibbleTimesScalePlusMinimum) {
  // d = 0.25, m = -1.5
  const auto got = values_of(QuantisedType::kQ4_1, nibble_block({0x00, 0x34, 0x00, 0xBE}), 32);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(got[static_cast<std::size_t>(i)], 0.25F * static_cast<float>(i) - 1.5F) << i;
    EXPECT_EQ(got[static_cast<std::size_t>(i + 16)], 0.25F * static_cast<float>(15 - i) - 1.5F);
  }
}

TEST(Quantised, Q4_1RoundsItsSumOnce) {
  // d = 1 + 2^-10, m = 1024: 15 d + m needs 25 bits; 1039.0146484375 is a tie rounded to even.
  const auto got = values_of(QuantisedType::kQ4_1, nibble_block({0x01, 0x3C, 0x00, 0x64}), 32);
  EXPECT_EQ(got[15], static_cast<float>(15.0 * (1.0 + 0x1p-10) + 1024.0));
  // d = 2^-24, m = 1: far below the last bit of m
  const auto tiny = values_of(QuantisedType::kQ4_1, nibble_block({0x01, 0x00, 0x00, 0x3C}), 32);
  EXPECT_EQ(tiny[1], 1.0F);             // tie to even: down
  EXPECT_EQ(tiny[3], 1.0F + 0x1p-22F);  // tie to even: up
}

TEST(Quantised, Q8_0IsSignedByteTimesScale) {
  std::vector<std::uint8_t> block = {0x00, 0x40};  // d = 2
  for (unsigned i = 0; i < 32; ++i) block.push_back(static_cast<std::uint8_t>(240 + i));
  block[2] = 0x80;
  const auto got = values_of(QuantisedType::kQ8_0, block, 32);
  EXPECT_EQ(got[0], -256.0F);
  EXPECT_EQ(got[1], -30.0F);
  EXPECT_EQ(got[16], 0.0F);
  EXPECT_EQ(got[31], 30.0F);
}

TEST(Quantised, SecondBlockHasItsOwnScale) {
  std::vector<std::uint8_t> blocks(2 * 34, 1);
  blocks[0] = 0x00;
  blocks[1] = 0x3C;  // 1
  blocks[34] = 0x00;
  blocks[35] = 0x44;  // 4
  const auto got = values_of(QuantisedType::kQ8_0, blocks, 64);
  EXPECT_EQ(got[31], 1.0F);
  EXPECT_EQ(got[32], 4.0F);
}

TEST(Quantised, NumbersAndNamesAgree) {
  for (const auto& [number, name] : {std::pair{0U, "F32"},
                                     {1U, "F16"},
                                     {2U, "Q4_0"},
                                     {3U, "Q4_1"},
                                     {8U, "Q8_0"},
                                     {30U, "BF16"}}) {
    ASSERT_TRUE(quantised_type(number)) << number;
    EXPECT_EQ(quantised_type_name(number), name);
  }
  for (const std::uint32_t number : {4U, 5U, 6U, 7U, 9U, 12U, 14U, 29U, 31U, ~0U}) {
    EXPECT_FALSE(quantised_type(number)) << number;
  }
  EXPECT_EQ(quantised_type_name(12), "Q4_K");
}

}  // namespace
}  // namespace aftune::model
