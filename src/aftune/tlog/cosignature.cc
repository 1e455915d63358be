// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/cosignature.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/base/endian.h"

namespace aftune::tlog {
namespace {

constexpr std::uint8_t kCosignatureV1 = 0x04;
constexpr std::size_t kTimeBytes = 8;

std::string signed_text(std::uint64_t seconds, std::string_view note_text) {
  return fmt::format("cosignature/v1\ntime {}\n{}", seconds, note_text);
}

}  // namespace

std::uint32_t WitnessKey::id() const { return note_key_id(name, kCosignatureV1, key); }

std::string WitnessKey::spell() const { return spell_note_key(name, kCosignatureV1, key); }

Result<WitnessKey> parse_witness_key(std::string_view text) {
  AFTUNE_TRY(VerifierKey key, parse_note_key(text, kCosignatureV1).in("witness"));
  return WitnessKey{std::move(key.name), key.key};
}

void cosign(SignedNote& note, const crypto::PrivateKey& key, std::string name,
            std::uint64_t seconds) {
  AFTUNE_CHECK(is_key_name(name), "a witness has no valid name");
  const std::uint32_t id = WitnessKey{name, key.public_key()}.id();
  const auto time = store_be(seconds);
  ByteBuffer bytes(time.begin(), time.end());
  append(bytes, key.sign(as_bytes(signed_text(seconds, note.text))));
  note.signatures.push_back({std::move(name), id, std::move(bytes)});
}

std::vector<std::uint64_t> cosigned_at(const SignedNote& note, const WitnessKey& key) {
  std::vector<std::uint64_t> out;
  const std::uint32_t id = key.id();
  for (const NoteSignature& line : note.signatures) {
    if (line.name != key.name || line.key_id != id) continue;
    if (line.signature.size() != kTimeBytes + crypto::Signature().size()) continue;
    const Bytes bytes = line.signature;
    std::uint64_t seconds = 0;
    for (std::size_t i = 0; i < kTimeBytes; ++i) seconds = seconds << 8 | bytes[i];
    if (crypto::verify_ed25519(key.key, as_bytes(signed_text(seconds, note.text)),
                               bytes.subspan(kTimeBytes))) {
      out.push_back(seconds);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace aftune::tlog
