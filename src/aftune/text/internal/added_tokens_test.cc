// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/added_tokens.h"

#include <gtest/gtest.h>

namespace aftune::text {
namespace {

AddedToken token(std::int32_t id, std::string content) {
  return {id, std::move(content), false, false, false, false, false};
}

std::vector<Stretch> split(std::vector<AddedToken> tokens, const std::string& text) {
  return *AddedTokenFinder::create(std::move(tokens))->split(text);
}

using Stretches = std::vector<Stretch>;

TEST(AddedTokens, TheLongestAtTheLeftmostPlaceIsFound) {
  const std::vector<AddedToken> tokens = {token(1, "ab"), token(2, "abcd"), token(3, "bcde")};
  EXPECT_EQ(split(tokens, "xabcde"), (Stretches{{{0, 1}, -1}, {{1, 5}, 2}, {{5, 6}, -1}}));
  EXPECT_EQ(split(tokens, "abcabab"),
            (Stretches{{{0, 2}, 1}, {{2, 3}, -1}, {{3, 5}, 1}, {{5, 7}, 1}}));
  EXPECT_EQ(split(tokens, ""), Stretches{});
  EXPECT_EQ(split({}, "ab"), (Stretches{{{0, 2}, -1}}));
}

TEST(AddedTokens, StripTakesNeighbouringSpace) {
  AddedToken left = token(1, "L");
  left.lstrip = true;
  AddedToken right = token(2, "R");
  right.rstrip = true;
  EXPECT_EQ(split({left, right}, "a \u3000L b"),
            (Stretches{{{0, 1}, -1}, {{1, 6}, 1}, {{6, 8}, -1}}));
  EXPECT_EQ(split({left, right}, "R  L"), (Stretches{{{0, 3}, 2}, {{3, 4}, 1}}));
  EXPECT_EQ(split({left, right}, " R \n"), (Stretches{{{0, 1}, -1}, {{1, 4}, 2}}));
}

TEST(AddedTokens, SingleWordsAreNotFoundInsideWords) {
  AddedToken word = token(1, "cat");
  word.single_word = true;
  EXPECT_EQ(split({word}, "cat.cat").size(), 3u);
  for (const char* text : {"cats", "a cat\u00e9", "_cat", "\u0301cat", "9cat"}) {
    EXPECT_EQ(split({word}, text), (Stretches{{{0, std::string_view(text).size()}, -1}})) << text;
  }
}

TEST(AddedTokens, MalformedItemsAreRefused) {
  const std::string good =
      R"({"id":0,"content":"x","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true})";
  const auto parse = [](const std::string& json) {
    return parse_added_tokens(*codec::parse_json(json, {}), "added_tokens");
  };
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string json = good;
    json.replace(json.find(from), from.size(), to);
    return "[" + json + "]";
  };
  EXPECT_TRUE(parse("[" + good + "]"));
  EXPECT_FALSE(parse("[" + good + "," + good + "]")) << "twice";
  EXPECT_FALSE(parse("{}"));
  EXPECT_FALSE(parse("[1]"));
  EXPECT_FALSE(parse(changed("\"id\":0", "\"id\":-1")));
  EXPECT_FALSE(parse(changed("\"id\":0", "\"id\":4294967296")));
  EXPECT_FALSE(parse(changed("\"id\":0,", "")));
  EXPECT_FALSE(parse(changed("\"x\"", "\"\"")));
  EXPECT_FALSE(parse(changed("\"x\"", "\"" + std::string(257, 'x') + "\"")));
  EXPECT_FALSE(parse(changed("\"special\":true", "\"special\":1")));
  EXPECT_FALSE(parse(changed("\"special\":true", "\"special\":true,\"more\":0")));
}

}  // namespace
}  // namespace aftune::text
