// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace aftune {

/// One line for people on stderr, whole even when threads write at once.
void log_line(std::string_view text);

/// `text` with control characters spelt as \xNN, so that text of another party can neither steer
/// a terminal nor look like a line of ours.
std::string printable(std::string_view text);

}  // namespace aftune
