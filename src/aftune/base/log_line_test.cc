// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/log_line.h"

#include <gtest/gtest.h>

namespace aftune {
namespace {

TEST(Printable, LeavesTextAlone) {
  for (const char* text :
       {"", "step 7: loss 1.5", "\xC3\xA9\xE2\x82\xAC", "a\\b \"c\"", "\xC2\xA9"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, SpellsControlCharacters) {
  EXPECT_EQ(printable("a\nb\r\tc"), "a\\x0ab\\x0d\\x09c");
  EXPECT_EQ(printable("\x1b[2J\x7f"), "\\x1b[2J\\x7f");
  EXPECT_EQ(printable(std::string_view("\0x", 2)), "\\x00x");
}

TEST(Printable, SpellsTheSecondSetOfControlCharactersAndWhatIsNoText) {
  EXPECT_EQ(printable("\xC2\x9B"
                      "2J"),
            "\\xc2\\x9b2J");
  EXPECT_EQ(printable("\xC2"), "\\xc2");
}

TEST(LogLine, IsOneWholeLine) {
  ::testing::internal::CaptureStderr();
  log_line("hello");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "hello\n");
}

}  // namespace
}  // namespace aftune
