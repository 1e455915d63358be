// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/output_text.h"

#include <gtest/gtest.h>

#include "aftune/receipt/tiny_served_testing.h"

namespace aftune::receipt {
namespace {

const text::Tokenizer& tokenizer() {
  static const text::Tokenizer one =
      testing::must(text::Tokenizer::parse(testing::byte_tokenizer()));
  return one;
}

/// Pushes the bytes of `text` one by one until the end; says what was settled on the way.
struct Told {
  std::optional<Finish> finish;
  std::string text;
  std::vector<std::string> settled;
  std::uint64_t count = 0;
};
Told tell(std::string_view text, StopRule rule) {
  Told out;
  OutputText output(tokenizer(), std::move(rule));
  for (const char c : text) {
    out.finish = *output.push(static_cast<unsigned char>(c));
    out.settled.push_back(output.text().substr(0, output.settled()));
    if (out.finish) break;
  }
  out.text = output.text();
  out.count = output.count();
  return out;
}

TEST(OutputText, EndsAtTheFirstRuleThatHolds) {
  const Told limit = tell("abcdef", {{}, {}, 3});
  EXPECT_EQ(limit.finish, Finish::kLength);
  EXPECT_EQ(limit.text, "abc");
  const Told eos = tell("abcdef", {{'b', 'd'}, {}, 2});
  EXPECT_EQ(eos.finish, Finish::kEos);
  EXPECT_EQ(eos.count, 2U);
  const Told stop = tell("abcdef", {{'z'}, {"xy", "cd"}, 4});
  EXPECT_EQ(stop.finish, Finish::kStop);
  EXPECT_EQ(stop.text, "ab");
  EXPECT_EQ(stop.count, 4U);
  EXPECT_FALSE(tell("abc", {{}, {"zz"}, 9}).finish);
}

TEST(OutputText, CutsBeforeTheStopStringThatBeginsFirst) {
  EXPECT_EQ(tell("one two three", {{}, {"two t", " two t"}, 99}).text, "one");
  EXPECT_EQ(tell("aaab", {{}, {"ab"}, 99}).text, "aa");
  EXPECT_EQ(tell("stop", {{}, {"s"}, 99}).text, "");
}

TEST(OutputText, SettlesNothingThatALaterTokenChanges) {
  const Told told = tell("a sto sta stop!", {{}, {"stop"}, 99});
  EXPECT_EQ(told.text, "a sto sta ");
  for (std::size_t i = 0; i < told.settled.size(); ++i) {
    EXPECT_TRUE(told.text.starts_with(told.settled[i])) << i << ": " << told.settled[i];
  }
  EXPECT_EQ(told.settled[4], "a ");  // "sto" may become "stop"
  EXPECT_EQ(told.settled[5], "a sto ");
}

TEST(OutputText, WaitsForTheBytesOfACharacter) {
  const std::string text = "x\xE2\x82\xAC!";  // x€!
  const Told told = tell(text, {{}, {}, 99});
  EXPECT_EQ(told.text, text);
  EXPECT_EQ(told.settled, (std::vector<std::string>{"x", "x", "x", "x\xE2\x82\xAC", text}));
  EXPECT_EQ(tell("x\xE2\x82", {{}, {}, 3}).text, "x\xEF\xBF\xBD");
  EXPECT_EQ(tell("\xFF\xFF"
                 "a",
                 {{}, {}, 9})
                .text,
            "\xEF\xBF\xBD\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(tell(text, {{}, {"\xE2\x82\xAC"}, 99}).text, "x");
}

TEST(OutputText, LeavesSpecialTokensOut) {
  OutputText output(tokenizer(), {{testing::kImEnd}, {}, 9});
  EXPECT_FALSE(output.push('a')->has_value());
  EXPECT_EQ(*output.push(testing::kImEnd), Finish::kEos);
  EXPECT_EQ(output.text(), "a");
}

TEST(OutputText, RefusesTokensAndStopStringsThatAreNone) {
  OutputText output(tokenizer(), {{}, {}, 9});
  EXPECT_FALSE(output.push(258));
  EXPECT_TRUE(check_stop_strings(std::vector<std::string>(16, std::string(256, 'a'))));
  EXPECT_FALSE(check_stop_strings(std::vector<std::string>(17, "a")));
  EXPECT_FALSE(check_stop_strings({""}));
  EXPECT_FALSE(check_stop_strings({std::string(257, 'a')}));
  EXPECT_FALSE(check_stop_strings({"\xFF"}));
}

}  // namespace
}  // namespace aftune::receipt
