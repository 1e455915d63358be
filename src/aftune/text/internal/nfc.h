// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "aftune/base/result.h"

namespace aftune::text {

/// Unicode normalization form C. Requires: valid UTF-8 of less than 2^30 bytes.
///
/// Errors: kInvalidInput where the Unicode library refuses the text.
/// Cost:   O(n log n), whatever the order of combining marks.
Result<std::string> nfc(std::string_view text);

}  // namespace aftune::text
