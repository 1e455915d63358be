// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/decimal.h"

#include <charconv>

namespace aftune::tlog {

Result<std::uint64_t> parse_decimal(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end || (text.size() > 1 && text[0] == '0')) {
    return Error{Code::kInvalidInput, "not a number below 2^64 in plain decimal"};
  }
  return value;
}

}  // namespace aftune::tlog
