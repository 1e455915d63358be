// SPDX-License-Identifier: Apache-2.0
// A position in the log of examples/tiny, then the entry that stands there.
#include "aftune/trace/entry.h"
#include "fuzz/fuzz.h"
#include "fuzz/tiny_contract.h"

namespace aftune::fuzz {

bool decode_one(Bytes input) {
  static const trace::Timeline timeline(tiny_contract());
  const std::uint64_t position = take_byte(input) % timeline.entry_count();
  const std::string_view text = as_text(input);
  const trace::Place place = timeline.at(position);
  const auto digest = trace::decode_entry(text, position, place);
  const auto abort = trace::decode_abort(text, position);
  AFTUNE_CHECK(!digest || !abort, "one entry of two kinds");
  if (digest) {
    AFTUNE_CHECK(trace::encode_entry(position, place, *digest) == text, "a second spelling");
    AFTUNE_CHECK(!trace::is_abort(text), "an entry that is an abort as well");
    const std::uint64_t other = (position + 1) % timeline.entry_count();
    AFTUNE_CHECK(!trace::decode_entry(text, other, timeline.at(other)), "an entry of two places");
  }
  if (abort) {
    AFTUNE_CHECK(trace::encode_abort(position, *abort) == text, "a second spelling");
    AFTUNE_CHECK(trace::is_abort(text), "an abort that is none");
  }
  return digest || abort;
}

}  // namespace aftune::fuzz
