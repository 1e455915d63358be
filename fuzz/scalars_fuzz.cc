// SPDX-License-Identifier: Apache-2.0
// Hex, base64, hex floats, decimals, times: one spelling for each value.
#include "aftune/base/hex.h"
#include "aftune/codec/base64.h"
#include "aftune/codec/json.h"
#include "aftune/codec/utf8.h"
#include "aftune/crypto/digest.h"
#include "aftune/tlog/decimal.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {

bool decode_one(Bytes input) {
  const std::string_view text = as_text(input);
  bool taken = false;
  const auto spelt_once = [&](const std::string& spelt) {
    AFTUNE_CHECK(spelt == text, "a second spelling was taken");
    taken = true;
  };
  if (const auto bytes = from_hex(text)) spelt_once(to_hex(*bytes));
  if (const auto digest = parse_digest(text)) spelt_once(digest->hex());
  if (const auto bytes = codec::from_base64(text)) spelt_once(codec::to_base64(*bytes));
  if (const auto value = codec::parse_hex_float(text)) spelt_once(codec::hex_float(*value));
  if (const auto value = tlog::parse_decimal(text)) spelt_once(std::to_string(*value));
  AFTUNE_CHECK(*from_hex(to_hex(input)) == ByteBuffer(input.begin(), input.end()), "hex");
  AFTUNE_CHECK(
      *codec::from_base64(codec::to_base64(input)) == ByteBuffer(input.begin(), input.end()),
      "base64");
  return taken || codec::is_utf8(text);
}

}  // namespace aftune::fuzz
