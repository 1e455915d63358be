// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/secret_bytes.h"

#include <openssl/crypto.h>

#include <utility>

namespace aftune::crypto {

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : bytes_(std::exchange(other.bytes_, ByteBuffer())) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  // Swapped, so that the old bytes are wiped by the destructor of the local.
  SecretBytes taken(std::move(other));
  std::swap(bytes_, taken.bytes_);
  return *this;
}

SecretBytes::~SecretBytes() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

bool SecretBytes::equals(Bytes other) const {
  return bytes_.size() == other.size() &&
         CRYPTO_memcmp(bytes_.data(), other.data(), other.size()) == 0;
}

void wipe(std::span<char> text) { OPENSSL_cleanse(text.data(), text.size()); }

}  // namespace aftune::crypto
