// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <ctime>

#include "aftune/trace/contract.h"

namespace aftune::trace {

Result<std::int64_t> parse_utc(std::string_view text) {
  std::tm parts{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end != nullptr && *end == '\0') {
    const std::int64_t seconds = ::timegm(&parts);
    if (spell_utc(seconds) == text) return seconds;
  }
  return Error{Code::kInvalidInput,
               fmt::format("\"{}\" is no time like 2027-01-31T00:00:00Z", text)};
}

std::string spell_utc(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text, size);
}

}  // namespace aftune::trace
