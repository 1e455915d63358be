// SPDX-License-Identifier: Apache-2.0
// Cosignatures of witnesses (https://c2sp.org/tlog-cosignature, cosignature/v1 with Ed25519): a
// checkpoint and the time at which a witness knew it. Bytes: docs/formats/witness.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/tlog/note.h"

namespace aftune::tlog {

/// A witness's name and public key, "name+hash+base64" with the algorithm byte 0x04 when spelt.
struct WitnessKey {
  std::string name;
  crypto::PublicKey key;

  [[nodiscard]] std::uint32_t id() const;
  [[nodiscard]] std::string spell() const;
  friend bool operator==(const WitnessKey&, const WitnessKey&) = default;
};

/// Errors: kInvalidInput for another form, an algorithm other than 0x04, or a wrong key hash.
Result<WitnessKey> parse_witness_key(std::string_view text);

/// Adds a cosignature made at `seconds` since 1970. Requires: `name` is a key name.
void cosign(SignedNote& note, const crypto::PrivateKey& key, std::string name,
            std::uint64_t seconds);

/// When `key` cosigned this note: the times of its valid cosignatures, ascending.
std::vector<std::uint64_t> cosigned_at(const SignedNote& note, const WitnessKey& key);

}  // namespace aftune::tlog
