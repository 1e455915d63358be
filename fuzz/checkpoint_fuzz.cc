// SPDX-License-Identifier: Apache-2.0
// Signed notes and the checkpoints in them. Honest seeds are signed by test_key(1).
#include <algorithm>

#include "aftune/tlog/checkpoint.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

void check_signing(tlog::SignedNote note, std::string_view text) {
  static const crypto::PrivateKey key = test_key(2);
  static const tlog::VerifierKey verifier{"fuzz", key.public_key()};
  const bool has_line = std::ranges::any_of(note.signatures, [](const tlog::NoteSignature& s) {
    return s.name == verifier.name && s.key_id == verifier.id();
  });
  constexpr std::size_t kMaxSignatures = 100;
  constexpr std::size_t kSpare = std::size_t{1} << 10;
  if (has_line || note.signatures.size() >= kMaxSignatures || text.size() > (1 << 20) - kSpare) {
    return;
  }
  note.sign(key, verifier.name);
  const auto again = tlog::decode_note(tlog::encode_note(note));
  AFTUNE_CHECK(again && again->text == note.text && again->signed_by(verifier),
               "a signed note does not open");
}

}  // namespace

bool decode_one(Bytes input) {
  static const crypto::PrivateKey key = test_key(1);
  static const tlog::VerifierKey verifier{"aftune/run/seed", key.public_key()};
  const std::string_view text = as_text(input);
  if (const auto bare = tlog::parse_checkpoint_text(text)) {
    AFTUNE_CHECK(tlog::checkpoint_text(*bare) == text, "a second spelling was taken");
  }
  const auto note = tlog::decode_note(text);
  const auto opened = tlog::open_checkpoint(text, verifier);
  if (!note) {
    AFTUNE_CHECK(!opened, "a checkpoint that is no note");
    return false;
  }
  AFTUNE_CHECK(tlog::encode_note(*note) == text, "a second spelling was taken");
  if (opened) {
    AFTUNE_CHECK(opened->origin == verifier.name && note->signed_by(verifier), "opened unsigned");
    AFTUNE_CHECK(tlog::checkpoint_text(*opened) == note->text, "another text than the signed one");
  }
  check_signing(*note, text);
  return true;
}

}  // namespace aftune::fuzz
