// SPDX-License-Identifier: Apache-2.0
// Key files and the spelling of keys as text: docs/formats/keys.md.
#pragma once

#include <string>
#include <string_view>

#include "aftune/base/file.h"
#include "aftune/base/result.h"
#include "aftune/crypto/ed25519.h"

namespace aftune::codec {

/// A private key and the name that its owner signs under.
struct KeyFile {
  std::string name;
  crypto::PrivateKey key;
};

/// Errors: kNotFound; kUnavailable; kInvalidInput for a file that others than its owner may use,
///         another form, or a hash that does not belong to the key.
Result<KeyFile> read_key_file(const Path& path);

/// Writes `dir`/NAME.key, private, and `dir`/NAME.pub, the verifier key and a newline.
/// Errors: kInvalidInput for a name that is_key_file_name refuses or a file that exists, which
///         stays untouched; kUnavailable.
Status write_key_files(const Path& dir, std::string_view name, const crypto::PrivateKey& key);

/// The C2SP verifier key, "name+hash+base64".
std::string spell_verifier_key(std::string_view name, const crypto::PublicKey& key);

/// Whether a key and its files may have this name: 1 to 64 letters, digits, '.', '-' and '_' of
/// ASCII, the first a letter or digit.
[[nodiscard]] bool is_key_file_name(std::string_view name);

}  // namespace aftune::codec
