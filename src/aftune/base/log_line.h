// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace aftune {

/// One line for people on stderr, whole even when threads write at once.
void log_line(std::string_view text);

}  // namespace aftune
