// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json, then a zero byte and the text to encode; without one, a fixed text.
#include <algorithm>
#include <numeric>

#include "aftune/codec/utf8.h"
#include "aftune/text/tokenizer.h"
#include "fuzz/fuzz.h"

namespace aftune::fuzz {
namespace {

constexpr std::size_t kTextBytes = 200;
constexpr std::string_view kFixedText = "Hello, w\u00f6rld's 123 <|im_end|>\n\n  e\u0301\t\u4e2d";

void check_encoding(const text::Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.encode(text);
  if (!ids) return;
  AFTUNE_CHECK(codec::is_utf8(text), "text that is not UTF-8 was encoded");
  const std::int32_t count = tokenizer.vocab_size();
  for (const std::int32_t id : *ids) AFTUNE_CHECK(id >= 0 && id < count, "an id that is none");
  const auto back = tokenizer.decode(*ids, false);
  AFTUNE_CHECK(back && codec::is_utf8(*back), "its own ids cannot be decoded");
  const auto plain = tokenizer.decode(*ids, true);
  AFTUNE_CHECK(plain && codec::is_utf8(*plain), "its own ids cannot be decoded without specials");
  AFTUNE_CHECK(*tokenizer.encode(text) == *ids, "a second call gives other ids");
}

void check_ids(const text::Tokenizer& tokenizer) {
  const std::int32_t count = tokenizer.vocab_size();
  AFTUNE_CHECK(count > 0, "an empty vocabulary");
  std::vector<std::int32_t> all(static_cast<std::size_t>(std::min(count, 1000)));
  std::iota(all.begin(), all.end(), 0);
  AFTUNE_CHECK(tokenizer.decode(all, false).has_value(), "an id cannot be decoded");
  const std::int32_t beyond[] = {count};
  AFTUNE_CHECK(!tokenizer.decode(beyond, false), "an id beyond the vocabulary was decoded");
}

}  // namespace

bool decode_one(Bytes input) {
  const std::string_view all = as_text(input);
  const std::size_t zero = all.find('\0');
  const auto tokenizer = text::Tokenizer::parse(all.substr(0, zero));
  if (!tokenizer) return false;
  check_ids(*tokenizer);
  const bool has_text = zero != std::string_view::npos;
  check_encoding(*tokenizer, has_text ? all.substr(zero + 1, kTextBytes) : kFixedText);
  return true;
}

}  // namespace aftune::fuzz
