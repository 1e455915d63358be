// SPDX-License-Identifier: Apache-2.0
// The first byte says what the rest is: 'k' a witness's key, 'a' a request to it, 'c' a note with
// cosignatures. Honest seeds are of test_key(1)'s log and test_key(3)'s witness.
#include <algorithm>

#include "aftune/tlog/cosignature.h"
#include "aftune/tlog/witness.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

bool decode_key(std::string_view text) {
  const auto key = tlog::parse_witness_key(text);
  if (!key) return false;
  AFTUNE_CHECK(key->spell() == text, "a second spelling was taken");
  return true;
}

bool decode_request(std::string_view text) {
  static const tlog::VerifierKey log{"aftune/run/seed", test_key(1).public_key()};
  const auto request = tlog::decode_add_checkpoint(text);
  if (!request) return false;
  AFTUNE_CHECK(tlog::encode_add_checkpoint(*request) == text, "a second spelling was taken");
  tlog::Witness witness;
  witness.watch(log, std::nullopt);
  const tlog::WitnessDecision decision = witness.consider(*request);
  if (decision.answer != tlog::WitnessAnswer::kAccepted) return true;
  const auto opened = tlog::open_checkpoint(request->note, log);
  AFTUNE_CHECK(opened && *opened == decision.checkpoint, "accepted what the log did not sign");
  witness.accept(decision.checkpoint);
  const auto again = witness.consider({opened->size, {}, request->note});
  AFTUNE_CHECK(again.answer == tlog::WitnessAnswer::kAccepted, "what was accepted is refused");
  return true;
}

bool decode_cosigned(std::string_view text) {
  static const crypto::PrivateKey key = test_key(3);
  static const tlog::WitnessKey witness{"witness.example/w1", key.public_key()};
  auto note = tlog::decode_note(text);
  if (!note) return false;
  const auto before = tlog::cosigned_at(*note, witness);
  AFTUNE_CHECK(std::ranges::is_sorted(before), "times out of order");
  tlog::cosign(*note, key, witness.name, 1'700'000'000);
  AFTUNE_CHECK(tlog::cosigned_at(*note, witness).size() == before.size() + 1, "not cosigned");
  return true;
}

}  // namespace

bool decode_one(Bytes input) {
  switch (const std::uint8_t choice = take_byte(input)) {
    case 'k':
      return decode_key(as_text(input));
    case 'a':
      return decode_request(as_text(input));
    default:
      return choice == 'c' && decode_cosigned(as_text(input));
  }
}

}  // namespace aftune::fuzz
