// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/digest.h"

#include <fmt/format.h>

#include <algorithm>

namespace aftune {

Result<Digest> parse_digest(std::string_view hex) {
  Digest digest;
  if (hex.size() != 2 * digest.bytes.size()) {
    return Error{Code::kInvalidInput, fmt::format("digest has {} hexadecimal digits, needs {}",
                                                  hex.size(), 2 * digest.bytes.size())};
  }
  AFTUNE_TRY(const ByteBuffer bytes, from_hex(hex));
  return to_digest(bytes);
}

Result<Digest> to_digest(Bytes bytes) {
  Digest digest;
  if (bytes.size() != digest.bytes.size()) {
    return Error{Code::kInvalidInput,
                 fmt::format("digest has {} bytes, needs {}", bytes.size(), digest.bytes.size())};
  }
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

}  // namespace aftune
