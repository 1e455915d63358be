// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace aftune::codec {

/// Whether `text` is well-formed UTF-8 (RFC 3629): no surrogates, no overlong forms.
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace aftune::codec
