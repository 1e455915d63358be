// SPDX-License-Identifier: Apache-2.0
#include "aftune/tensor/narrow.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

namespace aftune {
namespace {

Tensor tensor_of(const std::vector<std::uint32_t>& bits) {
  Tensor out = Tensor::zeros({bits.size()});
  if (!bits.empty()) std::memcpy(out.mutable_bytes().data(), bits.data(), 4 * bits.size());
  return out;
}

std::vector<std::uint16_t> halves_of(const Tensor& tensor) {
  std::vector<std::uint16_t> out(tensor.count());
  if (!out.empty()) std::memcpy(out.data(), tensor.bytes().data(), 2 * out.size());
  return out;
}

std::uint16_t rounded(std::uint32_t bits) { return halves_of(round_to_bf16(tensor_of({bits})))[0]; }

std::uint32_t widened(Dtype dtype, std::uint16_t half) {
  std::uint8_t bytes[2];
  std::memcpy(bytes, &half, 2);
  float out = 0;
  widen(dtype, bytes, std::span(&out, 1));
  std::uint32_t bits = 0;  // no copy of the float: a NaN may change on its way
  std::memcpy(&bits, &out, 4);
  return bits;
}

TEST(RoundToBf16, GoesToTheNearestAndFromTheMiddleToEven) {
  const struct {
    std::uint32_t bits;
    std::uint16_t rounded;
  } rows[] = {{0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x3f800000, 0x3f80},
              {0x3f807fff, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81},
              {0x3f817fff, 0x3f81}, {0x3f818000, 0x3f82}, {0xbf818000, 0xbf82},
              {0x3fffffff, 0x4000},  // into the next power of two
              {0x00000001, 0x0000}, {0x00008000, 0x0000}, {0x00008001, 0x0001},
              {0x007fffff, 0x0080},  // from the subnormal numbers up
              {0x7f7f7fff, 0x7f7f}, {0x7f7f8000, 0x7f80}, {0xff7fffff, 0xff80}};
  for (const auto& row : rows) EXPECT_EQ(rounded(row.bits), row.rounded) << std::hex << row.bits;
}

TEST(RoundToBf16, KeepsEveryNumberOfTheType) {
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    if ((half & 0x7f80) == 0x7f80 && (half & 0x7f) != 0) continue;  // NaN
    ASSERT_EQ(rounded(half << 16), half);
  }
}

TEST(RoundToBf16, IsNeverFurtherThanTheOtherNeighbour) {
  std::uint32_t state = 1;
  for (int i = 0; i < 20000; ++i) {
    state = state * 1664525 + 1013904223;
    const std::uint32_t bits = state % 0x7f7f0000;
    const double x = std::bit_cast<float>(bits);
    const auto at = [](std::uint32_t half) {
      return static_cast<double>(std::bit_cast<float>(half << 16));
    };
    const double got = std::abs(at(rounded(bits)) - x);
    ASSERT_LE(got, std::abs(at(bits >> 16) - x)) << std::hex << bits;
    ASSERT_LE(got, std::abs(at((bits >> 16) + 1) - x)) << std::hex << bits;
  }
}

TEST(RoundToBf16, TheNumberOfElementsIsThatOfTheTensor) {
  for (const std::size_t count : {0, 1, 2, 15, 16, 17, 63, 64, 65}) {
    std::vector<std::uint32_t> bits(count);
    for (std::size_t i = 0; i < count; ++i)
      bits[i] = 0x3f800000U + static_cast<std::uint32_t>(i << 16);
    const Tensor narrow = round_to_bf16(tensor_of(bits));
    EXPECT_EQ(narrow.dtype(), Dtype::kBF16);
    EXPECT_EQ(narrow.shape(), Shape{count});
    const auto halves = halves_of(narrow);
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(halves[i], 0x3f80U + i) << count;
  }
}

TEST(AllFiniteBf16, SeesInfinitiesAndNans) {
  for (const std::uint32_t bits : {0x7f800000U, 0xff800000U, 0x7fc00000U, 0x7f7fffffU}) {
    const Tensor narrow = round_to_bf16(tensor_of({0, 0x3f800000, bits, 0}));
    EXPECT_FALSE(all_finite_bf16(narrow)) << std::hex << bits;
  }
  EXPECT_TRUE(all_finite_bf16(round_to_bf16(tensor_of({0x7f7f7fff, 0xff7f0000, 0x80000001}))));
  EXPECT_TRUE(all_finite_bf16(round_to_bf16(tensor_of({}))));
}

TEST(Widen, GivesEveryBf16NumberItsBits) {
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    ASSERT_EQ(widened(Dtype::kBF16, static_cast<std::uint16_t>(half)), half << 16);
  }
}

TEST(Widen, GivesEveryF16NumberItsValue) {
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    const std::uint32_t bits = widened(Dtype::kF16, static_cast<std::uint16_t>(half));
    const int exponent = static_cast<int>(half >> 10 & 31);
    const std::uint32_t fraction = half & 0x3ff;
    ASSERT_EQ(bits >> 31, half >> 15) << std::hex << half;
    if (exponent == 31) {  // infinity, or a NaN with its payload
      ASSERT_EQ(bits & 0x7fffffff, 0x7f800000 | fraction << 13) << std::hex << half;
      continue;
    }
    const double value =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    ASSERT_EQ(std::abs(static_cast<double>(std::bit_cast<float>(bits))), value) << std::hex << half;
  }
}

}  // namespace
}  // namespace aftune
