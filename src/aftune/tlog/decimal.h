// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "aftune/base/result.h"

namespace aftune::tlog {

/// A number as C2SP texts spell it: ASCII digits, no leading zero unless it is "0".
/// Errors: kInvalidInput for another spelling or 2^64 and more.
Result<std::uint64_t> parse_decimal(std::string_view text);

}  // namespace aftune::tlog
