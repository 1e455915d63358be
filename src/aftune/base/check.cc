// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace aftune {

void check_failed(std::string_view expression, std::string_view message, const char* file,
                  int line) {
  std::fprintf(stderr, "aftune: bug at %s:%d: %.*s (%.*s)\n", file, line,
               static_cast<int>(message.size()), message.data(),
               static_cast<int>(expression.size()), expression.data());
  std::abort();
}

}  // namespace aftune
