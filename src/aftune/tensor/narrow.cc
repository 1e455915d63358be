// SPDX-License-Identifier: Apache-2.0
#include "aftune/tensor/narrow.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "aftune/base/check.h"
#include "aftune/base/endian.h"

namespace aftune {
namespace {

/// Fp32 bits of an F16 number. Nothing here meets a subnormal fp32 number, which a thread might
/// flush, and no NaN passes through an instruction that could quieten it. Without branches, so
/// that a compiler takes several elements at a time.
std::uint32_t bits_of_f16(std::uint32_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16;
  const std::uint32_t magnitude = half & 0x7FFFU;
  const std::uint32_t normal = (magnitude << 13) + (std::uint32_t{112} << 23);
  const std::uint32_t huge = (magnitude << 13) + (std::uint32_t{224} << 23);  // infinity and NaN
  const auto fraction = static_cast<float>(static_cast<std::int32_t>(magnitude));
  const auto small = std::bit_cast<std::uint32_t>(fraction * 0x1p-24F);
  const std::uint32_t finite = magnitude < 0x400U ? small : normal;
  return sign | (magnitude >= 0x7C00U ? huge : finite);
}

}  // namespace

bool is_narrow(Dtype dtype) { return dtype == Dtype::kBF16 || dtype == Dtype::kF16; }

Tensor round_to_bf16(const Tensor& values) {
  const std::span<const float> from = values.f32();
  Tensor out = Tensor::unwritten(Dtype::kBF16, values.shape());
  std::uint8_t* const to = out.mutable_bytes().data();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(from[i]);
    const auto rounded = static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
    std::memcpy(to + 2 * i, &rounded, sizeof(rounded));
  }
  return out;
}

bool all_finite_bf16(const Tensor& values) {
  AFTUNE_CHECK(values.dtype() == Dtype::kBF16, "not a BF16 tensor");
  const std::uint8_t* const bytes = values.bytes().data();
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < values.count(); ++i) {
    largest = std::max<std::uint32_t>(largest, load_le<std::uint16_t>(bytes + 2 * i) & 0x7FFFU);
  }
  return largest < 0x7F80U;
}

void widen(Dtype dtype, Bytes narrow, std::span<float> out) {
  AFTUNE_CHECK(is_narrow(dtype), "no fp32 values in two bytes");
  AFTUNE_CHECK(narrow.size() == 2 * out.size(), "not two bytes for each value");
  const std::uint8_t* const from = narrow.data();
  auto* const to = reinterpret_cast<std::uint8_t*>(out.data());
  if (dtype == Dtype::kBF16) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::uint32_t bits = std::uint32_t{load_le<std::uint16_t>(from + 2 * i)} << 16;
      std::memcpy(to + 4 * i, &bits, sizeof(bits));
    }
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint32_t bits = bits_of_f16(load_le<std::uint16_t>(from + 2 * i));
    std::memcpy(to + 4 * i, &bits, sizeof(bits));
  }
}

}  // namespace aftune
