// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/split_pattern.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace aftune::text {
namespace {

std::vector<TextRange> found(const std::string& pattern, const std::string& text) {
  const auto compiled = SplitPattern::regex(pattern);
  EXPECT_TRUE(compiled) << pattern;
  const auto matches = compiled->matches(text);
  EXPECT_TRUE(matches) << pattern << ": " << matches.error().what;
  return *matches;
}

using Ranges = std::vector<TextRange>;

TEST(SplitPattern, FindsMatchesFromLeftToRight) {
  EXPECT_EQ(found("ab?", "xabya"), (Ranges{{1, 3}, {4, 5}}));
  EXPECT_EQ(found("ab|abc", "abc"), (Ranges{{0, 2}}));
  EXPECT_EQ(found(R"(\s+(?!\S)|\s+)", "a   b"), (Ranges{{1, 3}, {3, 4}}));
  EXPECT_EQ(found(R"(\p{N})", "\u0664a\u2167"), (Ranges{{0, 2}, {3, 6}}));
  EXPECT_EQ(found("a", ""), Ranges{});
  EXPECT_EQ(found(R"(\s)", "\u180e\u3000"), (Ranges{{3, 6}}));  // U+180E is no white space
}

/// Matches must not depend on where the windows of the search end.
TEST(SplitPattern, MatchesAreTheSameAtEveryDistanceFromTheStart) {
  const std::string core = "\u4e16\u754c  word   " + std::string(90, 'w') + "\u00e9 \n\n x";
  const auto at_start = found(R"(\p{L}+|\s*\n|\s+(?!\S)|\s+)", core);
  ASSERT_GE(at_start.size(), 7u);
  for (std::size_t shift = 1; shift <= 300; ++shift) {
    auto shifted = found(R"(\p{L}+|\s*\n|\s+(?!\S)|\s+)", std::string(shift, '.') + core);
    for (TextRange& range : shifted) range = {range.begin - shift, range.end - shift};
    ASSERT_EQ(shifted, at_start) << shift;
  }
}

TEST(SplitPattern, LongMatchesAreWhole) {
  for (const std::size_t size : {63u, 64u, 65u, 255u, 256u, 257u, 5000u, 1u << 20}) {
    const std::string word(size, 'a');
    EXPECT_EQ(found(R"(\p{L}+)", word), (Ranges{{0, size}})) << size;
    EXPECT_EQ(found(R"(\s*[\r\n]+|\s+(?!\S)|\s+|\p{L})", std::string(size, ' ') + "b"),
              (Ranges{{0, size - 1}, {size - 1, size}, {size, size + 1}}))
        << size;
  }
}

TEST(SplitPattern, CatastrophicPatternsEndWithAnError) {
  const std::string text(std::size_t{1} << 17, 'a');
  for (const char* pattern : {"(?:a+)+b", "(?:a|a)*b", "(?:a*a*a*a*a*a*)c", "a+b|a", "a++b|a",
                              "(?:a?){100}b|a", "(?:(?:a+)+)+(?=b)|a"}) {
    const auto begin = std::chrono::steady_clock::now();
    const auto compiled = SplitPattern::regex(pattern);
    ASSERT_TRUE(compiled) << pattern;
    const auto matches = compiled->matches(text);
    ASSERT_FALSE(matches) << pattern;
    EXPECT_EQ(matches.error().code, Code::kInvalidInput);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20)) << pattern;
  }
}

TEST(SplitPattern, RefusesWhatCannotBeUsed) {
  for (const char* pattern :
       {"", "a*", "a|", "(?=a)", R"(\p{Nonsense})", "(?:a{60000}){60000}", "[z-a]", "a|."}) {
    const auto compiled = SplitPattern::regex(pattern);
    ASSERT_FALSE(compiled) << pattern;
    EXPECT_EQ(compiled.error().code, Code::kUnsupported) << pattern;
  }
  EXPECT_FALSE(SplitPattern::regex(std::string(16385, 'a')));
  EXPECT_FALSE(SplitPattern::literal(""));
}

TEST(SplitPattern, LiteralsAreNoPatterns) {
  const auto compiled = SplitPattern::literal("a.(");
  ASSERT_TRUE(compiled);
  EXPECT_EQ(*compiled->matches("aX(a.("), (Ranges{{3, 6}}));
}

}  // namespace
}  // namespace aftune::text
