// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/dsse.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {

bool decode_one(Bytes input) {
  constexpr std::string_view kType = "application/vnd.aftune.contract+json";
  constexpr std::uint64_t kLimit = 1 << 16;
  static const crypto::PrivateKey key = test_key(7);
  auto envelope = codec::decode_dsse(as_text(input), kType, kLimit);
  if (!envelope) return false;
  AFTUNE_CHECK(envelope->payload_type == kType, "another payload type was taken");
  AFTUNE_CHECK(codec::encode_dsse(*envelope) == as_text(input), "a second spelling was taken");
  if (envelope->signatures.size() < 16) {
    envelope->sign(key, "fuzz");
    const auto again = codec::decode_dsse(codec::encode_dsse(*envelope), kType, 2 * kLimit);
    AFTUNE_CHECK(again && again->payload == envelope->payload && again->signed_by(key.public_key()),
                 "a signed envelope does not open");
  }
  return true;
}

}  // namespace aftune::fuzz
