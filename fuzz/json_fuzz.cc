// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/json.h"
#include "aftune/codec/utf8.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {

bool decode_one(Bytes input) {
  constexpr codec::JsonLimits kLimits{.bytes = 1 << 16, .depth = 8, .values = 1000};
  // What is written again may be longer: numbers in full, lines indented.
  constexpr codec::JsonLimits kAgain{.bytes = 1 << 22, .depth = 8, .values = 1000};
  const std::string_view text = as_text(input);
  const auto value = codec::parse_json(text, kLimits);
  const auto canonical = codec::parse_canonical_json(text, kLimits);
  if (!value) {
    AFTUNE_CHECK(!canonical, "canonical text is JSON text");
    AFTUNE_CHECK(codec::is_utf8(value.error().what) || !codec::is_utf8(text),
                 "the error's text is not UTF-8");
    return false;
  }
  AFTUNE_CHECK(codec::is_utf8(text), "text that is not UTF-8 was taken");
  const std::string pretty = codec::pretty_json(*value);
  const auto again = codec::parse_json(pretty, kAgain);
  AFTUNE_CHECK(again && *again == *value, "pretty text reads as another value");
  AFTUNE_CHECK(codec::pretty_json(*again) == pretty, "pretty text is not stable");
  if (canonical) {
    AFTUNE_CHECK(*canonical == *value, "canonical and free reading differ");
    AFTUNE_CHECK(codec::canonical_json(*value) == text, "a second spelling was taken");
  }
  return true;
}

}  // namespace aftune::fuzz
