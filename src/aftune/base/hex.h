// SPDX-License-Identifier: Apache-2.0
// Lower-case hexadecimal, the only spelling of digests in our formats.
#pragma once

#include <string>
#include <string_view>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"

namespace aftune {

/// Two lower-case digits a byte.
std::string to_hex(Bytes bytes);

/// Errors: kInvalidInput for an odd length, an upper-case digit or anything else that is no
///         lower-case hexadecimal digit.
Result<ByteBuffer> from_hex(std::string_view text);

}  // namespace aftune
