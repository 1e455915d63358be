// SPDX-License-Identifier: Apache-2.0
// Honest seeds prove leaves of a log that test_key(1) signed.
#include "aftune/tlog/tlog_proof.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {

bool decode_one(Bytes input) {
  static const crypto::PrivateKey key = test_key(1);
  static const tlog::VerifierKey verifier{"aftune/run/seed", key.public_key()};
  const auto proof = tlog::decode_tlog_proof(as_text(input));
  if (!proof) return false;
  AFTUNE_CHECK(tlog::encode_tlog_proof(*proof) == as_text(input), "a second spelling was taken");
  // A leaf that no honest log holds.
  const Status verified = tlog::verify_tlog_proof(*proof, Digest{}, verifier);
  AFTUNE_CHECK(!verified, "a leaf that is in no log was proven");
  return true;
}

}  // namespace aftune::fuzz
