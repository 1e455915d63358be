// SPDX-License-Identifier: Apache-2.0
// Ed25519 signatures (RFC 8032), by OpenSSL.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <utility>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"
#include "aftune/crypto/secret_bytes.h"

namespace aftune::crypto {

struct PublicKey {
  std::array<std::uint8_t, 32> bytes{};
  friend auto operator<=>(const PublicKey&, const PublicKey&) = default;
};

using Signature = std::array<std::uint8_t, 64>;

/// A private key: the 32-byte seed of RFC 8032. Move-only; wiped on destruction.
class PrivateKey {
 public:
  static PrivateKey generate();
  /// Errors: kInvalidInput unless `seed` has 32 bytes.
  static Result<PrivateKey> from_seed(SecretBytes seed);

  [[nodiscard]] PublicKey public_key() const;
  [[nodiscard]] Signature sign(Bytes message) const;
  /// The seed, to store it or to derive other keys from it.
  [[nodiscard]] const SecretBytes& seed() const { return seed_; }

 private:
  explicit PrivateKey(SecretBytes seed) : seed_(std::move(seed)) {}
  SecretBytes seed_;
};

/// Whether `signature` is valid by the strict rule of docs/formats/keys.md: a key or an R of small
/// order, a second spelling of key, R or S, and the cofactored equation alone are refused.
[[nodiscard]] bool verify_ed25519(const PublicKey& key, Bytes message, Bytes signature);

}  // namespace aftune::crypto
