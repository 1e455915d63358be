// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/note.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/base/endian.h"
#include "aftune/base/hex.h"
#include "aftune/codec/base64.h"
#include "aftune/codec/utf8.h"
#include "aftune/crypto/sha256.h"

namespace aftune::tlog {
namespace {

constexpr std::uint8_t kEd25519 = 0x01;
constexpr std::size_t kMaxNoteBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxSignatures = 100;
constexpr std::size_t kKeyIdBytes = 4;
constexpr std::string_view kDash = "\xE2\x80\x94 ";  // U+2014 and a space

template <typename... Args>
Error invalid(fmt::format_string<Args...> text, Args&&... args) {
  return {Code::kInvalidInput, fmt::format(text, std::forward<Args>(args)...)};
}

std::uint32_t load_be32(Bytes bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < kKeyIdBytes; ++i) value = (value << 8) | bytes[i];
  return value;
}

/// White_Space of Unicode beyond ASCII, in UTF-8.
constexpr std::array<std::string_view, 19> kSpaces{
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
    "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
    "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
    "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};

bool is_note_text(std::string_view text) {
  return codec::is_utf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<std::uint8_t>(c) < 0x20 && c != '\n';
         });
}

Result<NoteSignature> decode_signature_line(std::string_view line) {
  if (!line.starts_with(kDash)) return invalid("does not begin with an em dash and a space");
  line.remove_prefix(kDash.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return invalid("has no signature after the name");
  const std::string_view name = line.substr(0, space);
  if (!is_key_name(name)) return invalid("has no valid key name");
  AFTUNE_TRY(const ByteBuffer bytes, codec::from_base64(line.substr(space + 1)));
  if (bytes.size() <= kKeyIdBytes) return invalid("signature has {} bytes, under 5", bytes.size());
  return NoteSignature{std::string(name), load_be32(bytes),
                       ByteBuffer(bytes.begin() + kKeyIdBytes, bytes.end())};
}

}  // namespace

std::uint32_t note_key_id(std::string_view name, std::uint8_t algorithm,
                          const crypto::PublicKey& key) {
  const std::uint8_t separators[] = {'\n', algorithm};
  return load_be32(crypto::sha256({as_bytes(name), separators, key.bytes}).view());
}

std::string spell_note_key(std::string_view name, std::uint8_t algorithm,
                           const crypto::PublicKey& key) {
  ByteBuffer bytes;
  bytes.reserve(1 + key.bytes.size());
  bytes.push_back(algorithm);
  append(bytes, key.bytes);
  return fmt::format("{}+{:08x}+{}", name, note_key_id(name, algorithm, key),
                     codec::to_base64(bytes));
}

Result<VerifierKey> parse_note_key(std::string_view text, std::uint8_t algorithm) {
  const std::size_t first = text.find('+');
  const std::size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos)
    return invalid("verifier key: not of the form NAME+HASH+KEY");
  const std::string_view name = text.substr(0, first);
  if (!is_key_name(name)) return invalid("verifier key: no valid name before the first plus");
  AFTUNE_TRY(const ByteBuffer bytes,
             codec::from_base64(text.substr(second + 1)).in("verifier key"));
  VerifierKey out{std::string(name), {}};
  if (bytes.size() != 1 + out.key.bytes.size()) {
    return invalid("verifier key: {} bytes, must be {}", bytes.size(), 1 + out.key.bytes.size());
  }
  if (bytes[0] != algorithm) {
    return invalid("verifier key: algorithm {}, must be {}", bytes[0], algorithm);
  }
  std::memcpy(out.key.bytes.data(), bytes.data() + 1, out.key.bytes.size());
  const std::string_view hash = text.substr(first + 1, second - first - 1);
  const std::string want = fmt::format("{:08x}", note_key_id(name, algorithm, out.key));
  if (hash != want) return invalid("verifier key: key hash {}, must be {}", hash, want);
  return out;
}

std::uint32_t VerifierKey::id() const { return note_key_id(name, kEd25519, key); }

std::string VerifierKey::spell() const { return spell_note_key(name, kEd25519, key); }

Result<VerifierKey> parse_verifier_key(std::string_view text) {
  return parse_note_key(text, kEd25519);
}

bool is_key_name(std::string_view name) {
  const auto is_bad_byte = [](char c) { return static_cast<std::uint8_t>(c) <= 0x20 || c == '+'; };
  const auto is_inside = [name](std::string_view space) {
    return name.find(space) != std::string_view::npos;
  };
  return !name.empty() && codec::is_utf8(name) &&
         std::none_of(name.begin(), name.end(), is_bad_byte) &&
         std::none_of(kSpaces.begin(), kSpaces.end(), is_inside);
}

void SignedNote::sign(const crypto::PrivateKey& key, std::string name) {
  AFTUNE_CHECK(is_key_name(name), "a note's signer has no valid name");
  const std::uint32_t id = VerifierKey{name, key.public_key()}.id();
  const crypto::Signature signature = key.sign(as_bytes(text));
  signatures.push_back({std::move(name), id, ByteBuffer(signature.begin(), signature.end())});
}

bool SignedNote::signed_by(const VerifierKey& key) const {
  const NoteSignature* found = nullptr;
  for (const NoteSignature& signature : signatures) {
    if (signature.name != key.name || signature.key_id != key.id()) continue;
    if (found != nullptr) return false;
    found = &signature;
  }
  return found != nullptr && crypto::verify_ed25519(key.key, as_bytes(text), found->signature);
}

std::string encode_note(const SignedNote& note) {
  std::string out = note.text + "\n";
  for (const NoteSignature& signature : note.signatures) {
    const auto id = store_be(signature.key_id);
    ByteBuffer bytes(id.begin(), id.end());
    append(bytes, signature.signature);
    out += fmt::format("{}{} {}\n", kDash, signature.name, codec::to_base64(bytes));
  }
  return out;
}

Result<SignedNote> decode_note(std::string_view text) {
  if (text.size() > kMaxNoteBytes) {
    return invalid("note has {} bytes, the limit is {}", text.size(), kMaxNoteBytes);
  }
  if (!is_note_text(text)) return invalid("note has a control character or is not UTF-8");
  if (!text.ends_with('\n')) return invalid("note does not end with a line feed");
  const std::size_t blank = text.rfind("\n\n");
  if (blank == std::string_view::npos) return invalid("note has no empty line");
  SignedNote out;
  out.text = text.substr(0, blank + 1);
  text.remove_prefix(blank + 2);
  if (text.empty()) return invalid("note has no signature");
  while (!text.empty()) {
    if (out.signatures.size() == kMaxSignatures) {
      return invalid("note has over {} signatures", kMaxSignatures);
    }
    const std::size_t end = text.find('\n');
    AFTUNE_TRY(NoteSignature signature,
               decode_signature_line(text.substr(0, end))
                   .in(fmt::format("note: signature line {}", out.signatures.size() + 1)));
    out.signatures.push_back(std::move(signature));
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace aftune::tlog
