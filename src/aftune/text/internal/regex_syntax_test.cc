// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/regex_syntax.h"

#include <gtest/gtest.h>

namespace aftune::text {
namespace {

TEST(RegexSyntax, GivesEscapesTheirStatedMeaning) {
  struct Case {
    std::string from, to;
  };
  const Case cases[] = {
      {R"(\s\S)", R"(\p{White_Space}\P{White_Space})"},
      {R"([^\s\p{L}\d])", R"([^\p{White_Space}\p{L}\p{Nd}])"},
      {R"(a(b|c)+)", R"(a(?:b|c)+)"},
      {R"((?i:'s|'t)?+)", R"((?i:'s|'t)?+)"},
      {R"(\s+(?!\S))", R"(\p{White_Space}+(?!\P{White_Space}))"},
      {R"(\v\n\u00b5\x{1F600}\.)", R"(\x{0b}\n\x{00b5}\x{1F600}\.)"},
      {"\u4e00{2,3}[\u4e00-\u9fa5]*?", "\u4e00{2,3}[\u4e00-\u9fa5]*?"},
  };
  for (const Case& c : cases) {
    const auto rewritten = rewrite_pattern(c.from);
    ASSERT_TRUE(rewritten) << c.from << ": " << rewritten.error().what;
    EXPECT_EQ(*rewritten, c.to);
  }
}

TEST(RegexSyntax, RefusesWhatLibrariesReadDifferently) {
  for (const char* pattern : {
           "^a",        "a$",        "a.b",
           "*a",        "a**",       "a+++",
           "a{2}?",     "a{,2}",     "a{2}+",
           "a{2",       "a}",        "a]",
           "(a",        "a)",        "[a",
           "[]a]",      "[^]a]",     "[a[b]]",
           "[a&&b]",    R"(\w)",     R"([\W])",
           R"(\b)",     R"(\h)",     R"(\1)",
           R"((a)\1)",  R"(\Ka)",    R"(\x41)",
           R"(\x{})",   R"(\pL)",    R"(\p{})",
           R"(\p{^L})", R"(\u12)",   R"(\x{1234567})",
           "(?<=a)b",   "(?<n>a)",   "(?i)a",
           "(?m:a)",    "(*COMMIT)", "a\\",
           "(?#x)a",    "(?R)",      "(?C)",
           "\\\u00e9",
       }) {
    const auto rewritten = rewrite_pattern(pattern);
    ASSERT_FALSE(rewritten) << pattern;
    EXPECT_EQ(rewritten.error().code, Code::kUnsupported) << pattern;
  }
}

}  // namespace
}  // namespace aftune::text
