// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/base64.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace aftune::codec {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> kValues = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}();

}  // namespace

std::string to_base64(Bytes bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = (bits << 8) | (k < have ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k) {
      out.push_back(k <= have ? kAlphabet[(bits >> (18 - 6 * k)) & 63] : '=');
    }
  }
  return out;
}

Result<ByteBuffer> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return Error{Code::kInvalidInput,
                 fmt::format("base64 text has {} characters, needs a multiple of 4", text.size())};
  }
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  ByteBuffer out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto character = static_cast<unsigned char>(text[i]);
    const int value = i + padding >= text.size() ? 0 : kValues[character];
    if (value < 0) {
      return Error{Code::kInvalidInput,
                   fmt::format("base64 text has byte 0x{:02x} at position {}", character, i)};
    }
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    if (i % 4 != 3) continue;
    for (int shift : {16, 8, 0}) out.push_back(static_cast<std::uint8_t>(bits >> shift));
    bits = 0;
  }
  for (std::size_t i = 0; i < padding; ++i) {
    if (out.back() != 0) break;
    out.pop_back();
  }
  if (out.size() != text.size() / 4 * 3 - padding) {
    return Error{Code::kInvalidInput, "base64 text ends in unused bits that are not zero"};
  }
  return out;
}

}  // namespace aftune::codec
