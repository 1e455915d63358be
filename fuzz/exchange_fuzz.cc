// SPDX-License-Identifier: Apache-2.0
// The first byte says which signed paper's payload the rest is: 'c' a challenge, 'm' a manifest,
// 't' a timing. It is signed here as its author would: a signature says nothing of its form.
#include "aftune/audit/manifest.h"
#include "aftune/audit/timing.h"
#include "aftune/codec/dsse.h"
#include "fuzz/papers.h"

namespace aftune::fuzz {
namespace {

std::string enveloped(const char* paper, Bytes payload, const crypto::PrivateKey& key) {
  codec::Dsse envelope{
      "application/vnd.aftune." + std::string(paper) + "+json", std::string(as_text(payload)), {}};
  envelope.sign(key, "author");
  return codec::encode_dsse(envelope);
}

/// What was taken is written in the same bytes.
template <typename Paper>
bool same(const Paper& paper, Bytes payload) {
  AFTUNE_CHECK(paper.payload() == as_text(payload), "a second spelling was taken");
  return true;
}

}  // namespace

bool decode_one(Bytes input) {
  const std::uint8_t choice = take_byte(input);
  const Papers& papers = tiny_papers();
  if (choice == 'c') {
    const auto opened =
        audit::open_challenge(enveloped("challenge", input, papers.client), papers.contract);
    return opened && same(opened->challenge, input);
  }
  if (choice == 'm') {
    const auto opened = audit::open_manifest(enveloped("manifest", input, papers.provider),
                                             papers.contract, papers.challenge);
    return opened && same(opened->manifest, input);
  }
  const auto opened = audit::open_timing(enveloped("timing", input, papers.witness),
                                         papers.contract, papers.challenge);
  return choice == 't' && opened && same(opened->timing, input);
}

}  // namespace aftune::fuzz
