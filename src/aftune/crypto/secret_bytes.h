// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "aftune/base/bytes.h"

namespace aftune::crypto {

/// Bytes that must not leak: no copy, no print, compared in constant time, wiped on destruction.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(ByteBuffer bytes) : bytes_(std::move(bytes)) {}
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  ~SecretBytes();

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] bool equals(Bytes other) const;
  /// The raw bytes, borrowed. The one place to search for when asking who reads secrets.
  [[nodiscard]] Bytes reveal() const { return bytes_; }

 private:
  ByteBuffer bytes_;
};

/// Overwrites a temporary copy of a secret in a way that the compiler keeps.
void wipe(std::span<char> text);

}  // namespace aftune::crypto
