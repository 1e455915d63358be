// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/metaspace.h"

#include <gtest/gtest.h>

#include <vector>

namespace aftune::text {
namespace {

using Strings = std::vector<std::string>;

std::string metaspace(const std::string& more) {
  return R"({"type":"Metaspace","replacement":"_")" + more + "}";
}

Result<Metaspace> parse_metaspace(const std::string& json) {
  return Metaspace::parse(*codec::parse_json(json, {}));
}

Strings pieces_of(const std::string& more, const std::string& text, bool at_start = true) {
  const auto made = parse_metaspace(metaspace(more));
  EXPECT_TRUE(made) << more << ": " << made.error().what;
  Strings out;
  made->split(text, at_start, [&](std::string_view piece) { out.emplace_back(piece); });
  return out;
}

TEST(Metaspace, MarksSpacesAndCutsBeforeThem) {
  EXPECT_EQ(pieces_of("", "a b  c"), (Strings{"_a", "_b", "_", "_c"}));
  EXPECT_EQ(pieces_of("", " a "), (Strings{"_a", "_"}));
  EXPECT_EQ(pieces_of("", "a_b"), (Strings{"_a", "_b"})) << "its own character counts as a space";
  EXPECT_EQ(pieces_of(R"(,"split":false)", "a b"), (Strings{"_a_b"}));
  EXPECT_EQ(pieces_of("", ""), Strings{});
}

TEST(Metaspace, PutsAMarkInFrontByItsScheme) {
  const std::string whole = R"(,"split":false,"prepend_scheme":)";
  EXPECT_EQ(pieces_of(whole + R"("always")", "a", false), Strings{"_a"});
  EXPECT_EQ(pieces_of(whole + R"("first")", "a", true), Strings{"_a"});
  EXPECT_EQ(pieces_of(whole + R"("first")", "a", false), Strings{"a"});
  EXPECT_EQ(pieces_of(whole + R"("never")", "a", true), Strings{"a"});
  EXPECT_EQ(pieces_of(whole + R"("always")", " a", true), Strings{"_a"}) << "one is there";
}

TEST(Metaspace, RefusesWhatItDoesNotKnowByName) {
  const std::pair<std::string, std::string> lies[] = {
      {R"({"type":"Whitespace"})", "Whitespace"},
      {R"({"type":"Metaspace"})", "replacement"},
      {R"({"type":"Metaspace","replacement":""})", "replacement"},
      {R"({"type":"Metaspace","replacement":"__"})", "replacement"},
      {metaspace(R"(,"prepend_scheme":"last")"), "prepend_scheme: last"},
      {metaspace(R"(,"prepend_scheme":"never","add_prefix_space":true)"), "add_prefix_space"},
      {metaspace(R"(,"add_prefix_space":false)"), "add_prefix_space"},
      {metaspace(R"(,"str_rep":"_")"), "str_rep"},
  };
  for (const auto& [json, named] : lies) {
    const auto made = parse_metaspace(json);
    ASSERT_FALSE(made) << json;
    EXPECT_NE(made.error().what.find(named), std::string::npos) << made.error().what;
  }
  EXPECT_TRUE(parse_metaspace(metaspace(R"(,"prepend_scheme":"first","add_prefix_space":true)")));
}

}  // namespace
}  // namespace aftune::text
