// SPDX-License-Identifier: Apache-2.0
// Bytes as this project passes them: a borrowed view, an owned buffer, text seen as bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aftune {

using Bytes = std::span<const std::uint8_t>;
using ByteBuffer = std::vector<std::uint8_t>;

/// The bytes of `text`, borrowed.
inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// `bytes` seen as text, borrowed.
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Appends `more` to `buffer`.
inline void append(ByteBuffer& buffer, Bytes more) {
  buffer.insert(buffer.end(), more.begin(), more.end());
}

}  // namespace aftune
