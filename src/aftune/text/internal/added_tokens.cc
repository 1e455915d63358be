// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/added_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "aftune/codec/json_reader.h"
#include "aftune/text/internal/utf8.h"

namespace aftune::text {
namespace {

constexpr std::size_t kContentBytes = 256;

Result<AddedToken> parse_one(codec::JsonReader reader) {
  AddedToken token{};
  AFTUNE_TRY(const std::int64_t id,
             reader.integer("id", 0, std::numeric_limits<std::int32_t>::max()));
  token.id = static_cast<std::int32_t>(id);
  AFTUNE_TRY(token.content, reader.string("content"));
  AFTUNE_TRY(token.single_word, reader.boolean("single_word"));
  AFTUNE_TRY(token.lstrip, reader.boolean("lstrip"));
  AFTUNE_TRY(token.rstrip, reader.boolean("rstrip"));
  AFTUNE_TRY(token.normalized, reader.boolean("normalized"));
  AFTUNE_TRY(token.special, reader.boolean("special"));
  AFTUNE_TRY(reader.finish());
  if (token.content.empty() || token.content.size() > kContentBytes) {
    return Error{Code::kInvalidInput,
                 fmt::format("{}.content: {} bytes, 1 to {} are allowed", reader.path(),
                             token.content.size(), kContentBytes)};
  }
  return token;
}

/// The start of the last character that ends at `end`. Requires: end > 0, valid UTF-8.
std::size_t before(std::string_view text, std::size_t end) {
  do --end;
  while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

}  // namespace

Result<std::vector<AddedToken>> parse_added_tokens(const codec::Json& array,
                                                   const std::string& path) {
  if (!array.array()) return Error{Code::kInvalidInput, path + ": no array"};
  std::vector<AddedToken> tokens;
  std::set<std::string> contents;
  for (const codec::Json& item : *array.array()) {
    const std::string item_path = fmt::format("{}[{}]", path, tokens.size());
    AFTUNE_TRY(codec::JsonReader reader, codec::JsonReader::open(item, item_path));
    AFTUNE_TRY(AddedToken token, parse_one(std::move(reader)));
    if (!contents.insert(token.content).second) {
      return Error{Code::kInvalidInput,
                   fmt::format("{}: content \"{}\" occurs twice", item_path, token.content)};
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Result<AddedTokenFinder> AddedTokenFinder::create(std::vector<AddedToken> tokens) {
  AFTUNE_TRY(SplitPattern word,
             SplitPattern::regex(R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}])"));
  std::stable_sort(tokens.begin(), tokens.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  return AddedTokenFinder(std::move(tokens), std::move(word));
}

Result<std::vector<Stretch>> AddedTokenFinder::split(std::string_view text) const {
  std::vector<Stretch> stretches;
  std::size_t done = 0;  // up to here all is in stretches
  for (std::size_t at = 0; at < text.size();) {
    const AddedToken* token = longest_at(text.substr(at));
    if (!token) {
      ++at;
      continue;
    }
    TextRange range{at, at + token->content.size()};
    at = range.end;
    if (token->single_word) {
      AFTUNE_TRY(const bool inside_word, touches_word(text, range));
      if (inside_word) continue;
    }
    while (token->lstrip && range.begin > done &&
           is_white_space(utf8_step(text, before(text, range.begin)).code_point)) {
      range.begin = before(text, range.begin);
    }
    while (token->rstrip && range.end < text.size() &&
           is_white_space(utf8_step(text, range.end).code_point)) {
      range.end += utf8_step(text, range.end).length;
    }
    if (done < range.begin) stretches.push_back({{done, range.begin}, -1});
    stretches.push_back({range, token->id});
    done = range.end;
  }
  if (done < text.size()) stretches.push_back({{done, text.size()}, -1});
  return stretches;
}

const AddedToken* AddedTokenFinder::longest_at(std::string_view text) const {
  auto first = tokens_.begin(), last = tokens_.end();  // those that share text's first bytes
  const AddedToken* longest = nullptr;
  for (std::size_t depth = 0; depth < text.size() && first != last; ++depth) {
    const auto wanted = static_cast<unsigned char>(text[depth]);
    const auto byte = [&](const AddedToken& t) {
      return static_cast<unsigned char>(t.content[depth]);
    };
    first = std::lower_bound(first, last, wanted,
                             [&](const AddedToken& t, auto value) { return byte(t) < value; });
    last = std::upper_bound(first, last, wanted,
                            [&](auto value, const AddedToken& t) { return value < byte(t); });
    if (first != last && first->content.size() == depth + 1) {
      longest = &*first;
      while (first != last && first->content.size() == depth + 1) ++first;
    }
  }
  return longest;
}

Result<bool> AddedTokenFinder::touches_word(std::string_view text, TextRange range) const {
  for (const bool left : {true, false}) {
    if (left ? range.begin == 0 : range.end == text.size()) continue;
    const std::size_t at = left ? before(text, range.begin) : range.end;
    AFTUNE_TRY(const auto found, word_.matches(text.substr(at, utf8_step(text, at).length)));
    if (!found.empty()) return true;
  }
  return false;
}

}  // namespace aftune::text
