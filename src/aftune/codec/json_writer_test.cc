// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "aftune/codec/json.h"

namespace aftune::codec {
namespace {

TEST(CanonicalJson, StringsAreEscapedAsInRfc8785) {
  EXPECT_EQ(canonical_json("\"\\/\b\f\n\r\t"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
  EXPECT_EQ(canonical_json(std::string("\0\x01\x0b\x1f\x20\x7f", 6)),
            "\"\\u0000\\u0001\\u000b\\u001f \x7f\"");
  // From the example of RFC 8785 section 3.2.2, whose strings are the same in our subset.
  EXPECT_EQ(canonical_json("\xE2\x82\xAC$\x0F\nA'B\"\\\\\"/"),
            "\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
}

TEST(CanonicalJson, MembersAreSortedByName) {
  const Json value =
      Json::Object{{"peach", 1}, {"P\u0065ch", 2}, {"", 3}, {"1", 4}, {"10", 5}, {"2", 6}};
  EXPECT_EQ(canonical_json(value), "{\"\":3,\"1\":4,\"10\":5,\"2\":6,\"Pech\":2,\"peach\":1}");
}

TEST(CanonicalJson, IntegersHaveOneSpelling) {
  EXPECT_EQ(canonical_json(Json::Array{0, -1, 9007199254740992, -9007199254740992}),
            "[0,-1,9007199254740992,-9007199254740992]");
}

TEST(CanonicalJson, ControlCharactersReadBack) {
  for (int c = 0; c < 0x80; ++c) {
    const Json value(std::string(1, static_cast<char>(c)));
    const auto read = parse_canonical_json(canonical_json(value), {});
    ASSERT_TRUE(read) << c;
    EXPECT_EQ(*read, value);
  }
}

TEST(CanonicalJsonDeathTest, WhatHasNoCanonicalFormIsABug) {
  EXPECT_DEATH((void)canonical_json(0.5), "holds a real number");
  EXPECT_DEATH((void)canonical_json(Json::Object{{"\xC3\xA9", 1}}), "is not ASCII");
  EXPECT_DEATH((void)canonical_json("\xff"), "is not UTF-8");
}

TEST(PrettyJson, IsIndentedAndEndsInANewline) {
  const Json value = Json::Object{
      {"empty", Json::Array{Json::Array(), Json::Object()}},
      {"list", Json::Array{1, "x"}},
      {"nested", Json::Object{{"a", Json()}, {"b", true}}},
  };
  EXPECT_EQ(pretty_json(value),
            "{\n"
            "  \"empty\": [\n"
            "    [],\n"
            "    {}\n"
            "  ],\n"
            "  \"list\": [1, \"x\"],\n"
            "  \"nested\": {\n"
            "    \"a\": null,\n"
            "    \"b\": true\n"
            "  }\n"
            "}\n");
  EXPECT_EQ(pretty_json(1), "1\n");
  EXPECT_EQ(pretty_json(Json::Object()), "{}\n");
}

TEST(PrettyJson, RealsReadBackAsTheSameReals) {
  for (const double real : {0.5, 1.0, -0.0, 0.1, 1e21, 1e-7, 1e300, 123456789012.25,
                            std::numeric_limits<double>::denorm_min(),
                            std::numeric_limits<double>::max(), 9007199254740992.0}) {
    const auto read = parse_json(pretty_json(real), {});
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, Json(real)) << pretty_json(real);
  }
  EXPECT_EQ(pretty_json(1.0), "1.0\n");
  EXPECT_EQ(pretty_json(0.1), "0.1\n");
}

}  // namespace
}  // namespace aftune::codec
