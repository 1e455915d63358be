// SPDX-License-Identifier: Apache-2.0
// C2SP signed notes with Ed25519 (https://c2sp.org/signed-note) and verifier keys.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/crypto/ed25519.h"

namespace aftune::tlog {

/// A key's name and public key: "name+hash+base64" when spelt.
struct VerifierKey {
  std::string name;
  crypto::PublicKey key;

  /// The first four bytes, big-endian, of SHA-256(name || 0x0A || 0x01 || key).
  [[nodiscard]] std::uint32_t id() const;
  [[nodiscard]] std::string spell() const;
  friend bool operator==(const VerifierKey&, const VerifierKey&) = default;
};

/// Errors: kInvalidInput for another form, an algorithm other than 0x01, or a wrong key hash.
Result<VerifierKey> parse_verifier_key(std::string_view text);

// The same for any algorithm byte of an Ed25519 key: 0x01 signs notes, 0x04 cosigns.
std::uint32_t note_key_id(std::string_view name, std::uint8_t algorithm,
                          const crypto::PublicKey& key);
std::string spell_note_key(std::string_view name, std::uint8_t algorithm,
                           const crypto::PublicKey& key);
/// Errors: as parse_verifier_key, for an algorithm other than `algorithm`.
Result<VerifierKey> parse_note_key(std::string_view text, std::uint8_t algorithm);

/// Whether `name` may name a key: not empty, no space (any Unicode space), no plus, no newline.
[[nodiscard]] bool is_key_name(std::string_view name);

struct NoteSignature {
  std::string name;
  std::uint32_t key_id;
  ByteBuffer signature;  // what follows the four bytes of key id
};

struct SignedNote {
  std::string text;  // with its final newline, without the blank line
  std::vector<NoteSignature> signatures;

  void sign(const crypto::PrivateKey& key, std::string name);
  /// Whether exactly one signature line carries the key's name and id, and it is valid.
  [[nodiscard]] bool signed_by(const VerifierKey& key) const;
};

std::string encode_note(const SignedNote& note);
/// Errors: kInvalidInput for a malformed note; limits: 1 MiB, 100 signatures.
Result<SignedNote> decode_note(std::string_view text);

}  // namespace aftune::tlog
