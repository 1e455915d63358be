// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "aftune/base/bytes.h"
#include "aftune/base/hex.h"
#include "aftune/base/result.h"

namespace aftune {

/// 32 bytes out of a hash function; which one, the place that holds it says.
struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  friend auto operator<=>(const Digest&, const Digest&) = default;

  [[nodiscard]] Bytes view() const { return bytes; }
  [[nodiscard]] std::string hex() const { return to_hex(bytes); }
};

/// Errors: kInvalidInput unless `hex` is 64 lower-case hexadecimal digits.
Result<Digest> parse_digest(std::string_view hex);

/// Errors: kInvalidInput unless `bytes` has 32 bytes.
Result<Digest> to_digest(Bytes bytes);

}  // namespace aftune
