// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "aftune/base/result.h"

namespace aftune::object {

/// "s3://bucket/prefix": docs/formats/object-storage.md, "Place".
struct S3Url {
  std::string bucket;
  std::string prefix;  // without "/" at its end; may be empty

  [[nodiscard]] std::string text() const;
  /// What keys begin with: the prefix and a slash, or nothing.
  [[nodiscard]] std::string key_start() const { return prefix.empty() ? "" : prefix + "/"; }
};

/// Errors: kInvalidInput.
Result<S3Url> parse_s3_url(std::string_view text);

/// Percent-encoding of Signature Version 4: all but letters, digits and "-._~".
enum class Slash : std::uint8_t { kEncoded, kKept };
std::string percent_encode(std::string_view text, Slash slash);

}  // namespace aftune::object
