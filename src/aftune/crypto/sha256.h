// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), HMAC (RFC 2104) and HKDF (RFC 5869) over it, by OpenSSL.
#pragma once

#include <initializer_list>
#include <memory>

#include "aftune/base/bytes.h"
#include "aftune/base/file.h"
#include "aftune/crypto/digest.h"

namespace aftune::crypto {

Digest sha256(Bytes data);

/// SHA-256 of the pieces one after the other, with nothing between them.
Digest sha256(std::initializer_list<Bytes> pieces);

/// Bytes that arrive in pieces. Threads: one at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(Bytes data);
  [[nodiscard]] Digest digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest hmac_sha256(Bytes key, Bytes message);

/// HKDF-SHA-256 with an empty salt, 32 bytes of output.
Digest hkdf_sha256(Bytes key, Bytes context);

/// SHA-256 of a file's bytes, read in pieces. Errors: kNotFound, kInvalidInput, kUnavailable.
Result<Digest> sha256_file(const Path& path);

}  // namespace aftune::crypto
