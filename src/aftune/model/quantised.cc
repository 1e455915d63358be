// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/quantised.h"

#include <fmt/core.h>

#include <bit>
#include <cstring>

#include "aftune/base/check.h"
#include "aftune/base/endian.h"
#include "aftune/tensor/tensor.h"

namespace aftune::model {
namespace {

constexpr std::size_t kBlock = 32;

struct KnownType {
  std::uint32_t number;
  std::string_view name;
};

constexpr KnownType kUnsupportedTypes[] = {
    {6, "Q5_0"},   {7, "Q5_1"},    {9, "Q8_1"},   {10, "Q2_K"},    {11, "Q3_K"},   {12, "Q4_K"},
    {13, "Q5_K"},  {14, "Q6_K"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"},
    {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"}, {22, "IQ2_S"},   {23, "IQ4_XS"}, {24, "I8"},
    {25, "I16"},   {26, "I32"},    {27, "I64"},   {28, "F64"},     {29, "IQ1_M"},  {34, "TQ1_0"},
    {35, "TQ2_0"}, {39, "MXFP4"}};

/// The scales of `count` blocks, as fp32, from fp16 values `stride` bytes apart.
std::vector<float> scales(const std::uint8_t* first, std::size_t stride, std::size_t count) {
  ByteBuffer halves(2 * count);
  for (std::size_t i = 0; i < count; ++i) std::memcpy(&halves[2 * i], first + i * stride, 2);
  const auto wide = to_f32({Dtype::kF16, {count}, halves});
  AFTUNE_CHECK(wide.has_value(), "fp16 widens");
  return {wide->f32().begin(), wide->f32().end()};
}

void copy_widened(Dtype dtype, Bytes encoded, std::span<float> out) {
  const auto wide = to_f32({dtype, {out.size()}, encoded});
  AFTUNE_CHECK(wide.has_value(), "fp16 and bf16 widen");
  std::memcpy(out.data(), wide->bytes().data(), wide->bytes().size());
}

/// Elements 0 to 15 are the low nibbles of the 16 bytes, elements 16 to 31 the high ones.
void nibbles(const std::uint8_t* packed, float offset, float scale, float minimum, float* out) {
  for (std::size_t i = 0; i < kBlock / 2; ++i) {
    const auto low = static_cast<float>(packed[i] & 15);
    const auto high = static_cast<float>(packed[i] >> 4);
    out[i] = (low - offset) * scale + minimum;
    out[i + kBlock / 2] = (high - offset) * scale + minimum;
  }
}

void dequantise_q4_0(Bytes encoded, std::span<float> out) {
  const std::size_t count = out.size() / kBlock;
  const std::size_t size = layout_of(QuantisedType::kQ4_0).bytes;
  const auto d = scales(encoded.data(), size, count);
  for (std::size_t b = 0; b < count; ++b) {
    // Adding -0 keeps every value, the sign of a zero included.
    nibbles(encoded.data() + b * size + 2, 8.0F, d[b], -0.0F, out.data() + b * kBlock);
  }
}

void dequantise_q4_1(Bytes encoded, std::span<float> out) {
  const std::size_t count = out.size() / kBlock;
  const std::size_t size = layout_of(QuantisedType::kQ4_1).bytes;
  const auto d = scales(encoded.data(), size, count);
  const auto m = scales(encoded.data() + 2, size, count);
  for (std::size_t b = 0; b < count; ++b) {
    nibbles(encoded.data() + b * size + 4, 0.0F, d[b], m[b], out.data() + b * kBlock);
  }
}

void dequantise_q8_0(Bytes encoded, std::span<float> out) {
  const std::size_t count = out.size() / kBlock;
  const std::size_t size = layout_of(QuantisedType::kQ8_0).bytes;
  const auto d = scales(encoded.data(), size, count);
  for (std::size_t b = 0; b < count; ++b) {
    const std::uint8_t* q = encoded.data() + b * size + 2;
    for (std::size_t i = 0; i < kBlock; ++i) {
      out[b * kBlock + i] = static_cast<float>(static_cast<std::int8_t>(q[i])) * d[b];
    }
  }
}

}  // namespace

BlockLayout layout_of(QuantisedType type) {
  switch (type) {
    case QuantisedType::kF32:
      return {"F32", 1, 4};
    case QuantisedType::kF16:
      return {"F16", 1, 2};
    case QuantisedType::kQ4_0:
      return {"Q4_0", kBlock, 18};
    case QuantisedType::kQ4_1:
      return {"Q4_1", kBlock, 20};
    case QuantisedType::kQ8_0:
      return {"Q8_0", kBlock, 34};
    case QuantisedType::kBF16:
      return {"BF16", 1, 2};
  }
  AFTUNE_CHECK(false, "element type out of range");
}

std::optional<QuantisedType> quantised_type(std::uint32_t number) {
  for (const auto type : {QuantisedType::kF32, QuantisedType::kF16, QuantisedType::kQ4_0,
                          QuantisedType::kQ4_1, QuantisedType::kQ8_0, QuantisedType::kBF16}) {
    if (static_cast<std::uint32_t>(type) == number) return type;
  }
  return std::nullopt;
}

std::string quantised_type_name(std::uint32_t number) {
  if (const auto type = quantised_type(number)) return std::string(layout_of(*type).name);
  for (const KnownType& known : kUnsupportedTypes) {
    if (known.number == number) return std::string(known.name);
  }
  return fmt::format("type {}", number);
}

void dequantise(QuantisedType type, Bytes encoded, std::span<float> out) {
  const BlockLayout layout = layout_of(type);
  AFTUNE_CHECK(out.size() % layout.elements == 0, "whole blocks only");
  AFTUNE_CHECK(encoded.size() == out.size() / layout.elements * layout.bytes,
               "as many blocks in as out");
  if (out.empty()) return;
  switch (type) {
    case QuantisedType::kF32:
      std::memcpy(out.data(), encoded.data(), encoded.size());
      return;
    case QuantisedType::kF16:
      return copy_widened(Dtype::kF16, encoded, out);
    case QuantisedType::kBF16:
      return copy_widened(Dtype::kBF16, encoded, out);
    case QuantisedType::kQ4_0:
      return dequantise_q4_0(encoded, out);
    case QuantisedType::kQ4_1:
      return dequantise_q4_1(encoded, out);
    case QuantisedType::kQ8_0:
      return dequantise_q8_0(encoded, out);
  }
}

}  // namespace aftune::model
