// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace aftune {

/// One line for people on stderr, whole even when threads write at once.
void log_line(std::string_view text);

/// `text` with each byte of a control character, of a character that turns the writing direction
/// and of anything that is no UTF-8 spelt as \xNN: text of another party can neither steer a
/// terminal nor look like a line of ours, and may stand in a JSON document.
std::string printable(std::string_view text);

}  // namespace aftune
