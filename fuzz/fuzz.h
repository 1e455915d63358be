// SPDX-License-Identifier: Apache-2.0
// What each target of this folder defines, and what they share: README.md.
#pragma once

#include <cstdint>
#include <string>

#include "aftune/base/bytes.h"
#include "aftune/base/check.h"
#include "aftune/base/file.h"
#include "aftune/crypto/ed25519.h"

namespace aftune::fuzz {

/// Decodes `input` and checks what must hold of whatever was taken (AFTUNE_CHECK).
/// Returns: whether the decoder took it. Each *_fuzz.cc defines it once.
bool decode_one(Bytes input);

/// Takes the first byte off `input`, for targets that choose by it; 0 if there is none.
inline std::uint8_t take_byte(Bytes& input) {
  if (input.empty()) return 0;
  const std::uint8_t byte = input[0];
  input = input.subspan(1);
  return byte;
}

/// The file `name` below the repository's root. Requires: it can be read.
std::string tree_file(const std::string& name);

/// A folder of this process, gone at its end: in memory where the machine has such a place.
const Path& scratch();
/// Writes `input` to the file `name` in it, readable by its owner alone.
Path put_scratch(const std::string& name, Bytes input);

/// The key whose 32 seed bytes are all `fill`. Seeds of the corpora are signed by such keys.
crypto::PrivateKey test_key(std::uint8_t fill);

}  // namespace aftune::fuzz
