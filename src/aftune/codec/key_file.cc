// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/key_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <system_error>
#include <utility>

#include "aftune/base/hex.h"
#include "aftune/codec/base64.h"
#include "aftune/crypto/sha256.h"

namespace aftune::codec {
namespace {

constexpr std::uint8_t kEd25519 = 0x01;  // C2SP signed-note's number of the algorithm
constexpr std::string_view kPrivatePrefix = "PRIVATE+KEY+";
constexpr std::size_t kHashDigits = 8;
constexpr std::size_t kMaxNameSize = 64;
constexpr std::uint64_t kMaxFileBytes = 256;

std::string key_hash(std::string_view name, const crypto::PublicKey& key) {
  static constexpr std::array<std::uint8_t, 2> kBetween = {'\n', kEd25519};
  const Digest digest = crypto::sha256({as_bytes(name), kBetween, key.bytes});
  return digest.hex().substr(0, kHashDigits);
}

// Algorithm number and 32 bytes of key.
ByteBuffer key_data(Bytes key) {
  ByteBuffer data;
  data.reserve(1 + key.size());
  data.push_back(kEd25519);
  append(data, key);
  return data;
}

crypto::SecretBytes spell_private_key(std::string_view name, const crypto::PrivateKey& key) {
  const crypto::SecretBytes data(key_data(key.seed().reveal()));
  std::string secret = to_base64(data.reveal());
  const std::string open =
      fmt::format("{}{}+{}+", kPrivatePrefix, name, key_hash(name, key.public_key()));
  ByteBuffer line;
  line.reserve(open.size() + secret.size() + 1);  // no copy is left behind by growing
  append(line, as_bytes(open));
  append(line, as_bytes(secret));
  line.push_back('\n');
  crypto::wipe(secret);
  return crypto::SecretBytes(std::move(line));
}

Error refused(std::string_view reason) {
  return {Code::kInvalidInput, fmt::format("private key: {}", reason)};
}

Result<KeyFile> parse_private_key(std::string_view text) {
  if (!text.starts_with(kPrivatePrefix) || !text.ends_with('\n')) {
    return refused("is no line that begins with PRIVATE+KEY+");
  }
  text.remove_prefix(kPrivatePrefix.size());
  text.remove_suffix(1);
  const std::string_view name = text.substr(0, text.find('+'));
  if (!is_key_file_name(name)) return refused("has a name that is not allowed");
  text.remove_prefix(std::min(text.size(), name.size() + 1));
  if (text.size() <= kHashDigits || text[kHashDigits] != '+') {
    return refused("has no hash of eight digits");
  }
  const std::string_view hash = text.substr(0, kHashDigits);
  Result<ByteBuffer> decoded = from_base64(text.substr(kHashDigits + 1));
  if (!decoded) return refused("has no base64 at its end");
  const crypto::SecretBytes data(*std::move(decoded));
  const Bytes bytes = data.reveal();
  if (bytes.empty() || bytes[0] != kEd25519) return refused("is not of algorithm 1, Ed25519");
  crypto::SecretBytes seed(ByteBuffer(bytes.begin() + 1, bytes.end()));
  AFTUNE_TRY(crypto::PrivateKey key, crypto::PrivateKey::from_seed(std::move(seed)));
  if (key_hash(name, key.public_key()) != hash) return refused("its hash is another key's");
  return KeyFile{std::string(name), std::move(key)};
}

Status check_private(const Path& path) {
  using std::filesystem::perms;
  std::error_code error;
  const perms mode = std::filesystem::status(path, error).permissions();
  if (error) return ok();  // reading the file tells why
  if ((mode & (perms::group_all | perms::others_all)) == perms::none) return ok();
  return Error{Code::kInvalidInput,
               fmt::format("private key {} has mode {:04o}, needs 0600", path.string(),
                           static_cast<unsigned>(mode & perms::mask))};
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

Result<KeyFile> read_key_file(const Path& path) {
  AFTUNE_TRY(check_private(path));
  AFTUNE_TRY(ByteBuffer content, read_file(path, kMaxFileBytes));
  const crypto::SecretBytes text(std::move(content));
  return parse_private_key(as_text(text.reveal())).in("read " + path.string());
}

Status write_key_files(const Path& dir, std::string_view name, const crypto::PrivateKey& key) {
  if (!is_key_file_name(name)) {
    return Error{Code::kInvalidInput,
                 fmt::format("key name must be 1 to {} letters, digits, '.', '-' or '_' and begin "
                             "with a letter or digit",
                             kMaxNameSize)};
  }
  const Path stem = dir / name;
  const Path private_path = Path(stem) += ".key";
  const Path public_path = Path(stem) += ".pub";
  if (std::error_code error; std::filesystem::exists(public_path, error)) {
    return Error{Code::kInvalidInput, fmt::format("{} exists already", public_path.string())};
  }
  const crypto::SecretBytes line = spell_private_key(name, key);
  AFTUNE_TRY(write_new_private_file(private_path, line.reveal()));
  Status wrote =
      write_new_file(public_path, as_bytes(spell_verifier_key(name, key.public_key()) + "\n"));
  if (std::error_code ignored; !wrote) std::filesystem::remove(private_path, ignored);  // ours
  return wrote;
}

std::string spell_verifier_key(std::string_view name, const crypto::PublicKey& key) {
  return fmt::format("{}+{}+{}", name, key_hash(name, key), to_base64(key_data(key.bytes)));
}

bool is_key_file_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameSize && is_letter_or_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return is_letter_or_digit(c) || c == '.' || c == '-' || c == '_';
         });
}

}  // namespace aftune::codec
