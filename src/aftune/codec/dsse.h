// SPDX-License-Identifier: Apache-2.0
// DSSE envelopes (https://github.com/secure-systems-lab/dsse, protocol and envelope v1.0) with
// Ed25519 signatures. Bytes and limits: docs/formats/dsse.md.
#pragma once

#include <string>
#include <vector>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"
#include "aftune/crypto/ed25519.h"

namespace aftune::codec {

struct DsseSignature {
  std::string key_id;  // a key's name: a hint, never trusted
  crypto::Signature signature;
};

struct Dsse {
  std::string payload_type;
  std::string payload;
  std::vector<DsseSignature> signatures;

  /// Adds a signature over the payload, replacing an earlier one of the same key id.
  void sign(const crypto::PrivateKey& key, std::string key_id);
  /// Whether any signature of the envelope is `key`'s over type and payload.
  [[nodiscard]] bool signed_by(const crypto::PublicKey& key) const;
};

/// The envelope as JSON text with a final newline; equal envelopes give equal bytes.
std::string encode_dsse(const Dsse& envelope);

/// Errors: kInvalidInput for anything but one envelope of `payload_type` with at most
///         `limit_bytes` of text, at most 16 signatures and no other member.
Result<Dsse> decode_dsse(std::string_view text, std::string_view payload_type,
                         std::uint64_t limit_bytes);

}  // namespace aftune::codec
