// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "aftune/base/result.h"

namespace aftune::text {

/// A pattern in the subset of docs/formats/tokenizer.md, "Splitting", rewritten so that PCRE2 gives
/// every part of it the meaning stated there.
///
/// Errors: kUnsupported for anything outside the subset, naming the byte position in the pattern.
Result<std::string> rewrite_pattern(std::string_view pattern);

}  // namespace aftune::text
