// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/hex.h"

#include <fmt/format.h>

namespace aftune {
namespace {

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string to_hex(Bytes bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (std::uint8_t byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

Result<ByteBuffer> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) {
    return Error{Code::kInvalidInput, fmt::format("hex text has odd length {}", text.size())};
  }
  ByteBuffer out(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int value = nibble(text[i]);
    if (value < 0) {
      return Error{Code::kInvalidInput, fmt::format("hex text has byte 0x{:02x} at position {}",
                                                    static_cast<unsigned char>(text[i]), i)};
    }
    out[i / 2] = static_cast<std::uint8_t>((out[i / 2] << 4) | value);
  }
  return out;
}

}  // namespace aftune
