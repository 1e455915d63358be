// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "aftune/audit/draw.h"

namespace aftune::cli {

/// "I,J": layer block and step block. Errors: kInvalidInput for any other spelling.
Result<audit::BlockIndex> parse_block(std::string_view text);

}  // namespace aftune::cli
