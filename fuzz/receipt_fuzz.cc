// SPDX-License-Identifier: Apache-2.0
// The first byte says which document the rest is.
#include "aftune/receipt/receipt.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

/// What is taken has one spelling.
template <typename Document>
bool decode(std::string_view text) {
  const auto document = Document::parse(text);
  if (!document) return false;
  AFTUNE_CHECK(document->text() == text, "a second spelling was taken");
  return true;
}

}  // namespace

bool decode_one(Bytes input) {
  if (input.empty()) return false;
  const std::string_view text = as_text(input.subspan(1));
  switch (input[0]) {
    case 'r':
      return decode<receipt::Receipt>(text);
    case 'a':
      return decode<receipt::Answer>(text);
    case 's':
      return decode<receipt::Statement>(text);
    case 't':
      return receipt::template_of(text).has_value();
    default:
      return false;
  }
}

}  // namespace aftune::fuzz
