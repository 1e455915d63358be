// SPDX-License-Identifier: Apache-2.0
// Verifier keys and private key files.
#include "aftune/codec/key_file.h"
#include "aftune/tlog/note.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

bool take_verifier_key(std::string_view text) {
  const auto key = tlog::parse_verifier_key(text);
  if (!key) return false;
  AFTUNE_CHECK(key->spell() == text, "a second spelling was taken");
  AFTUNE_CHECK(codec::spell_verifier_key(key->name, key->key) == text, "two spellings are written");
  AFTUNE_CHECK(tlog::is_key_name(key->name), "a name that is none");
  return true;
}

bool take_key_file(Bytes input) {
  const auto file = codec::read_key_file(put_scratch("input", input));
  if (!file) return false;
  AFTUNE_CHECK(codec::is_key_file_name(file->name), "a name that is none");
  const Path stem = scratch() / file->name;
  AFTUNE_CHECK(codec::write_key_files(scratch(), file->name, file->key).has_value(), "write");
  const auto written = read_file(Path(stem) += ".key", 4096);
  AFTUNE_CHECK(written && *written == ByteBuffer(input.begin(), input.end()),
               "a second spelling was taken");
  std::filesystem::remove(Path(stem) += ".key");
  std::filesystem::remove(Path(stem) += ".pub");
  return true;
}

}  // namespace

bool decode_one(Bytes input) {
  const bool is_verifier_key = take_verifier_key(as_text(input));
  return take_key_file(input) || is_verifier_key;
}

}  // namespace aftune::fuzz
