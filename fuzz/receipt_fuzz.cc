// SPDX-License-Identifier: Apache-2.0
// The first byte says which document the rest is.
#include "aftune/receipt/openai_body.h"
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

/// What an endpoint takes makes a request that a receipt can hold.
bool decode_body(std::string_view text) {
  const auto body = receipt::read_openai_body(text);
  if (!body) return false;
  receipt::Request request = body->request;
  request.input = receipt::input_digest(Digest(), body->input);
  const auto again = receipt::Request::parse(request.json(), "request");
  AFTUNE_CHECK(again && *again == request, "a body was taken whose request is none");
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
    case 'o':
      return decode_body(text);
    case 't':
      return receipt::template_of(text).has_value();
    default:
      return false;
  }
}

}  // namespace aftune::fuzz
