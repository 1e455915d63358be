// SPDX-License-Identifier: Apache-2.0
// Base64 with padding (RFC 4648 section 4), one spelling for each value.
#pragma once

#include <string>
#include <string_view>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"

namespace aftune::codec {

std::string to_base64(Bytes bytes);

/// Errors: kInvalidInput for missing padding, other characters, or non-zero unused bits.
Result<ByteBuffer> from_base64(std::string_view text);

}  // namespace aftune::codec
