// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/log_line.h"

#include <gtest/gtest.h>

namespace aftune {
namespace {

TEST(Printable, KeepsTextOfAnyScript) {
  for (const char* text : {"", "plain", "Zürich", "東京", "\xF0\x9F\x99\x82", "a\xC2\xA0z"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, SpellsWhatSteersATerminal) {
  EXPECT_EQ(printable("\x1B[2J\nACCEPT\x7F"), "\\x1b[2J\\x0aACCEPT\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\xc2\\x9b31m")
      << "the one-character escape";
  EXPECT_EQ(printable("\xE2\x80\xAE"
                      "TPECCA"),
            "\\xe2\\x80\\xaeTPECCA")
      << "right to left";
}

TEST(Printable, SpellsWhatIsNoUtf8) {
  const std::pair<std::string, std::string> cases[] = {
      {"\xC3", "\\xc3"},                             // cut
      {"\x9B", "\\x9b"},                             // a continuation alone
      {"\xC0\xAF", "\\xc0\\xaf"},                    // overlong
      {"\xE0\x80\x80", "\\xe0\\x80\\x80"},           // overlong
      {"\xED\xA0\x80", "\\xed\\xa0\\x80"},           // a surrogate
      {"\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // beyond Unicode
      {"\xE2\x82z", "\\xe2\\x82z"},
  };
  for (const auto& [text, spelt] : cases) EXPECT_EQ(printable(text), spelt);
}

}  // namespace
}  // namespace aftune
