// SPDX-License-Identifier: Apache-2.0
// AFTUNE_CHECK: our own bugs end the program, in every build. Never on what a peer sent.
#pragma once

#include <string_view>

namespace aftune {

/// Prints expression, message, file and line to stderr, then aborts.
[[noreturn]] void check_failed(std::string_view expression, std::string_view message,
                               const char* file, int line);

}  // namespace aftune

/// `AFTUNE_CHECK(a.size() == b.size(), "operands differ in length");`
#define AFTUNE_CHECK(condition, message)                               \
  do {                                                                 \
    if (!(condition)) [[unlikely]]                                     \
      ::aftune::check_failed(#condition, message, __FILE__, __LINE__); \
  } while (false)
