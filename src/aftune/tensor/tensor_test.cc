// SPDX-License-Identifier: Apache-2.0
#include "aftune/tensor/tensor.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "aftune/base/endian.h"

namespace aftune {
namespace {

constexpr Dtype kAll[] = {Dtype::kF32, Dtype::kF16, Dtype::kBF16, Dtype::kF64,
                          Dtype::kI32, Dtype::kI64, Dtype::kU8,   Dtype::kBool};

TEST(Dtype, NamesRoundTripAndUnknownNamesAreNone) {
  for (const Dtype dtype : kAll) EXPECT_EQ(dtype_of(dtype_name(dtype)), dtype);
  EXPECT_EQ(dtype_name(Dtype::kBF16), "BF16");
  EXPECT_EQ(dtype_name(Dtype::kBool), "BOOL");
  for (const char* name : {"", "f32", "F32 ", "F8_E4M3", "U64"}) {
    EXPECT_EQ(dtype_of(name), std::nullopt) << name;
  }
}

TEST(Dtype, SizesAreThoseOfTheirTypes) {
  EXPECT_EQ(element_size(Dtype::kF32), 4U);
  EXPECT_EQ(element_size(Dtype::kF16), 2U);
  EXPECT_EQ(element_size(Dtype::kBF16), 2U);
  EXPECT_EQ(element_size(Dtype::kF64), 8U);
  EXPECT_EQ(element_size(Dtype::kI32), 4U);
  EXPECT_EQ(element_size(Dtype::kI64), 8U);
  EXPECT_EQ(element_size(Dtype::kU8), 1U);
  EXPECT_EQ(element_size(Dtype::kBool), 1U);
}

TEST(ElementCount, StopsAtTheLimitInAnyOrderOfExtents) {
  const std::uint64_t limit = std::uint64_t{1} << 43;
  EXPECT_EQ(element_count({}), 1U);
  EXPECT_EQ(element_count({4, 128, 576}), 294912U);
  EXPECT_EQ(element_count({limit}), limit);
  EXPECT_EQ(element_count({limit + 1}), std::nullopt);
  EXPECT_EQ(element_count({std::uint64_t{1} << 60}), std::nullopt);
  EXPECT_EQ(element_count({std::uint64_t{1} << 32, std::uint64_t{1} << 32}), std::nullopt);
  EXPECT_EQ(element_count({0}), 0U);
  EXPECT_EQ(element_count({0, limit}), 0U);
  EXPECT_EQ(element_count({0, limit, 2}), std::nullopt);
  EXPECT_EQ(element_count({limit, 2, 0}), std::nullopt);
}

TEST(ShapeText, ListsTheExtents) {
  EXPECT_EQ(to_string(Shape{}), "[]");
  EXPECT_EQ(to_string(Shape{4, 128, 576}), "[4, 128, 576]");
}

TEST(Tensor, StartsAtZeroAndIsAligned) {
  const Tensor tensor = Tensor::zeros({3, 5});
  EXPECT_EQ(tensor.count(), 15U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64, 0U);
  for (const float x : tensor.f32()) EXPECT_EQ(std::bit_cast<std::uint32_t>(x), 0U);
}

TEST(Tensor, CloneIsApartFromItsOrigin) {
  Tensor tensor = Tensor::zeros({2});
  tensor.data()[1] = 7.0F;
  Tensor other = tensor.clone();
  tensor.clear();
  EXPECT_EQ(other.f32()[1], 7.0F);
  EXPECT_EQ(tensor.f32()[1], 0.0F);
  EXPECT_EQ(other.shape(), tensor.shape());
  EXPECT_TRUE(Tensor().clone().empty());
}

TEST(Tensor, BorrowedIsTheVeryBytes) {
  const Tensor owner = [] {
    Tensor out = Tensor::zeros({2, 3});
    out.data()[5] = 7.0F;
    return out;
  }();
  Tensor tensor = Tensor::borrowed(owner.view());
  EXPECT_EQ(std::as_const(tensor).data(), owner.data());
  EXPECT_EQ(tensor.shape(), owner.shape());
  const Tensor moved = std::move(tensor);
  EXPECT_EQ(moved.f32()[5], 7.0F);
  EXPECT_NE(moved.clone().data(), owner.data());
  tensor = Tensor::zeros({1});
  tensor.data()[0] = 1.0F;  // owns again, and may be written
  EXPECT_EQ(owner.f32()[0], 0.0F);
}

TEST(Tensor, MovedFromIsEmpty) {
  Tensor tensor = Tensor::zeros({2});
  Tensor taken = std::move(tensor);
  EXPECT_TRUE(tensor.empty());
  EXPECT_TRUE(tensor.bytes().empty());
  tensor = std::move(taken);
  EXPECT_EQ(tensor.count(), 2U);
  EXPECT_TRUE(taken.empty());
}

TEST(Tensor, EmptyExtentHasNoBytesAndKeepsItsShape) {
  const Tensor tensor(Dtype::kBF16, {0, 4});
  EXPECT_TRUE(tensor.empty());
  EXPECT_EQ(Tensor::copy_of(tensor.view()).shape(), (Shape{0, 4}));
}

TEST(TensorDeathTest, BrokenCallersAreStopped) {
  EXPECT_DEATH(Tensor(Dtype::kU8, {std::uint64_t{1} << 60}), "2\\^46");
  EXPECT_DEATH((void)Tensor(Dtype::kF16, {2}).f32(), "another dtype");
  const std::uint8_t three[3] = {};
  EXPECT_DEATH((void)Tensor::copy_of({Dtype::kF32, {1}, three}), "disagree");
  EXPECT_DEATH((void)Tensor::borrowed({Dtype::kF32, {1}, three}), "disagree");
  Tensor borrowed = Tensor::borrowed({Dtype::kU8, {3}, three});
  EXPECT_DEATH((void)borrowed.mutable_bytes(), "not written");
  EXPECT_DEATH(borrowed.clear(), "not written");
}

TensorView view_of(Dtype dtype, const ByteBuffer& bytes) {
  return {dtype, {bytes.size() / 2}, bytes};
}

ByteBuffer all_patterns() {
  ByteBuffer bytes;
  for (std::uint32_t i = 0; i < 65536; ++i) append(bytes, store_le(static_cast<std::uint16_t>(i)));
  return bytes;
}

TEST(ToF32, WidensEveryHalfExactly) {
  const ByteBuffer bytes = all_patterns();
  const auto wide = to_f32(view_of(Dtype::kF16, bytes));
  ASSERT_TRUE(wide);
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const float got = wide->f32()[i];
    const int exponent = static_cast<int>((i >> 10) & 31);
    const float fraction = static_cast<float>(i & 1023);
    ASSERT_EQ(std::signbit(got), (i & 0x8000U) != 0) << i;
    if (exponent == 31) {
      ASSERT_EQ(std::isnan(got), fraction != 0) << i;
      ASSERT_EQ((std::bit_cast<std::uint32_t>(got) >> 13) & 1023U, i & 1023U) << i;
      continue;
    }
    const float want =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024.0F + fraction, exponent - 25);
    ASSERT_EQ(std::fabs(got), want) << i;
  }
}

TEST(ToF32, WidensEveryBrainFloatByItsBits) {
  const ByteBuffer bytes = all_patterns();
  const auto wide = to_f32(view_of(Dtype::kBF16, bytes));
  ASSERT_TRUE(wide);
  for (std::uint32_t i = 0; i < 65536; ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(wide->f32()[i]), i << 16);
  }
}

TEST(ToF32, CopiesFloatsBitByBit) {
  Tensor tensor = Tensor::zeros({2});
  const std::uint32_t signalling_nan = 0x7F800001;
  std::memcpy(tensor.mutable_bytes().data(), &signalling_nan, 4);
  const auto copy = to_f32(tensor.view());
  ASSERT_TRUE(copy);
  EXPECT_EQ(0, std::memcmp(copy->bytes().data(), tensor.bytes().data(), 8));
}

TEST(ToF32, RefusesOtherTypes) {
  for (const Dtype dtype : {Dtype::kF64, Dtype::kI32, Dtype::kI64, Dtype::kU8, Dtype::kBool}) {
    const auto got = to_f32(Tensor(dtype, {1}).view());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::kUnsupported);
  }
}

}  // namespace
}  // namespace aftune
