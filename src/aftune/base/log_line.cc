// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/log_line.h"

#include <cstdio>
#include <string>

namespace aftune {

void log_line(std::string_view text) {
  std::string line(text);
  line.push_back('\n');
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace aftune
