// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

#include "aftune/base/check.h"
#include "aftune/codec/json.h"
#include "aftune/codec/utf8.h"

namespace aftune::codec {
namespace {

static_assert(std::numeric_limits<double>::is_iec559);
constexpr int kFractionBits = 52;
constexpr std::uint64_t kFractionMask = (std::uint64_t{1} << kFractionBits) - 1;
constexpr int kBias = 1023;
constexpr std::size_t kLongestSpelling = 24;  // "-0x1.fffffffffffffp-1022"

Error refused(std::string_view text) {
  const bool is_short = text.size() <= 2 * kLongestSpelling && is_utf8(text);
  return {Code::kInvalidInput,
          fmt::format("\"{}\" is no hex float such as 0x1.8p-3", is_short ? text : "...")};
}

}  // namespace

std::string hex_float(double value) {
  AFTUNE_CHECK(std::isfinite(value), "only finite numbers have a spelling");
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const char* const sign = bits >> 63 != 0 ? "-" : "";
  std::uint64_t fraction = bits & kFractionMask;
  int exponent = static_cast<int>((bits >> kFractionBits) & 0x7ff);
  if (exponent == 0 && fraction == 0) return fmt::format("{}0x0p+0", sign);
  if (exponent == 0) {
    // A subnormal: shift its first bit to where a normal number has its hidden one.
    const int shift = std::countl_zero(fraction) - (63 - kFractionBits);
    fraction = (fraction << shift) & kFractionMask;
    exponent = 1 - shift;
  }
  std::string digits = fmt::format("{:013x}", fraction);
  digits.erase(digits.find_last_not_of('0') + 1);
  return fmt::format("{}0x1{}{}p{:+d}", sign, digits.empty() ? "" : ".", digits, exponent - kBias);
}

Result<double> parse_hex_float(std::string_view text) {
  if (text.size() > kLongestSpelling) return refused(text);
  std::string_view digits = text;
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  if (!digits.starts_with("0x")) return refused(text);
  digits.remove_prefix(2);
  double value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, std::chars_format::hex);
  if (error != std::errc() || stop != end || !std::isfinite(value)) return refused(text);
  if (negative) value = -value;
  // Whatever else the standard library reads, only our own spelling passes.
  if (hex_float(value) != text) return refused(text);
  return value;
}

}  // namespace aftune::codec
