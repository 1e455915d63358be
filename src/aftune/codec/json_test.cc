// SPDX-License-Identifier: Apache-2.0
#include "aftune/codec/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <string>
#include <utility>

namespace aftune::codec {
namespace {

Json parsed(std::string_view text) {
  auto value = parse_json(text, {});
  EXPECT_TRUE(value) << text << ": " << (value ? "" : value.error().what);
  return value ? *value : Json("refused");
}

std::string why(std::string_view text, const JsonLimits& limits = {}) {
  const auto value = parse_json(text, limits);
  return value ? "accepted" : value.error().what;
}

TEST(Json, EachKindOfValueIsRead) {
  EXPECT_TRUE(parsed("null").is_null());
  EXPECT_EQ(parsed(" true\n"), Json(true));
  EXPECT_EQ(parsed("\"a\\u00e9\\ud83d\\ude00\\n\""), Json("a\xC3\xA9\xF0\x9F\x98\x80\n"));
  EXPECT_EQ(parsed("[]"), Json(Json::Array()));
  EXPECT_EQ(parsed("{}"), Json(Json::Object()));
  EXPECT_EQ(parsed("[1,[2,{\"a\":[]}],\"x\"]"),
            Json(Json::Array{1, Json::Array{2, Json::Object{{"a", Json::Array()}}}, "x"}));
  EXPECT_EQ(parsed("{\"b\":{\"c\":1},\"a\":false}"),
            Json(Json::Object{{"a", false}, {"b", Json::Object{{"c", 1}}}}));
}

TEST(Json, FindGivesMembersOfObjectsOnly) {
  const Json value = parsed("{\"a\":1}");
  ASSERT_NE(value.find("a"), nullptr);
  EXPECT_EQ(*value.find("a"), Json(1));
  EXPECT_EQ(value.find("b"), nullptr);
  EXPECT_EQ(Json(1).find("a"), nullptr);
  EXPECT_EQ(Json(Json::Array{"a"}).find("a"), nullptr);
}

TEST(Json, IntegersAreExactUpToTheirLimit) {
  for (const char* text : {"0", "1", "-1", "9007199254740992", "-9007199254740992"}) {
    const Json value = parsed(text);
    ASSERT_NE(value.integer(), nullptr) << text;
    EXPECT_EQ(std::to_string(*value.integer()), text);
    EXPECT_EQ(value.real(), nullptr);
  }
}

TEST(Json, OtherNumbersAreReal) {
  const std::pair<const char*, double> reals[] = {
      {"1.0", 1.0},
      {"1e0", 1.0},
      {"-0", -0.0},
      {"-0.0", -0.0},
      {"0.1", 0.1},
      {"9007199254740993", 9007199254740992.0},
      {"-9007199254740994", -9007199254740994.0},
      {"18446744073709551616", 18446744073709551616.0},
      {"1e-400", 0.0},
  };
  for (const auto& [text, number] : reals) {
    const Json value = parsed(text);
    EXPECT_EQ(value.integer(), nullptr) << text;
    ASSERT_NE(value.real(), nullptr) << text;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(*value.real()), std::bit_cast<std::uint64_t>(number))
        << text;
  }
}

struct Lie {
  const char* name;
  std::string_view text;
  const char* message;
};

using namespace std::string_view_literals;

constexpr Lie kLies[] = {
    {"empty", "", "json text: unexpected end of input at byte 0"},
    {"white space alone", "  ", "json text: unexpected end of input at byte 2"},
    {"two values", "[1] 2", "json text: unexpected number literal at byte 4"},
    {"bytes after the value", "{}x", "json text: invalid literal at byte 2"},
    {"zero byte after the value", "{}\0"sv, "json text: a zero byte at byte 2"},
    {"zero byte in a string", "\"a\0b\""sv, "json text: a zero byte at byte 2"},
    {"byte order mark", "\xEF\xBB\xBF{}", "json text: a byte order mark at byte 0"},
    {"same name twice", "{\"a\":1,\"a\":2}",
     "json text: a second member of the same name at byte 10"},
    {"same name, escaped", "{\"a\":1,\"\\u0061\":2}",
     "json text: a second member of the same name at byte 15"},
    {"trailing comma", "[1,]", "json text: unexpected ']' at byte 3"},
    {"missing comma", "[1 2]", "json text: unexpected number literal at byte 3"},
    {"comment", "[/**/1]", "json text: invalid literal at byte 1"},
    {"NaN", "NaN", "json text: invalid literal at byte 0"},
    {"single quotes", "['a']", "json text: invalid literal at byte 1"},
    {"name without quotes", "{a:1}", "json text: invalid literal at byte 1"},
    {"leading zero", "01", "json text: unexpected number literal at byte 1"},
    {"leading plus", "+1", "json text: invalid literal at byte 0"},
    {"too large a number", "1e999", "json text: a number out of range at byte 4"},
    {"unclosed", "[{\"a\":1}", "json text: unexpected end of input at byte 8"},
    {"wrongly closed", "[1}", "json text: unexpected '}' at byte 2"},
};

TEST(Json, LiesAreRefusedWithTheirPlace) {
  for (const Lie& lie : kLies) EXPECT_EQ(why(lie.text), lie.message) << lie.name;
}

TEST(Json, BrokenStringsAreRefused) {
  for (const char* lie : {"\"\xff\"", "\"\xC0\xAF\"", "\"\xED\xA0\x80\"", "\"\xE2\x82\"",
                          "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\x41\"",
                          "\"\\u12g4\"", "\"a\nb\"", "\"a\tb\"", "\"a", "{\"\xff\":1}"}) {
    EXPECT_NE(why(lie).find("invalid string"), std::string::npos) << lie << ": " << why(lie);
  }
}

TEST(Json, MessagesRepeatNothingOfTheText) {
  EXPECT_EQ(why("[secretsecret]").find("secretsecret"), std::string::npos);
  EXPECT_EQ(why("{\"secretsecret\" 1}").find("secretsecret"), std::string::npos);
}

TEST(Json, LimitOfBytesIsInclusive) {
  EXPECT_EQ(why("[1]", {.bytes = 3}), "accepted");
  EXPECT_EQ(why("[1]", {.bytes = 2}), "json text has 3 bytes, the limit is 2");
}

TEST(Json, LimitOfDepthIsInclusive) {
  EXPECT_EQ(why("1", {.depth = 0}), "accepted");
  EXPECT_EQ(why("[]", {.depth = 0}), "json text: more than 0 levels at byte 1");
  EXPECT_EQ(why("[{\"a\":1}]", {.depth = 2}), "accepted");
  EXPECT_EQ(why("[{\"a\":[]}]", {.depth = 2}), "json text: more than 2 levels at byte 7");
  EXPECT_EQ(why("[[],[],[[]]]", {.depth = 3}), "accepted");
  EXPECT_NE(why(std::string(500000, '[')).find("more than 32 levels"), std::string::npos);
}

TEST(Json, LimitOfValuesIsInclusive) {
  EXPECT_EQ(why("[1,2,{\"a\":3}]", {.values = 5}), "accepted");
  EXPECT_NE(why("[1,2,{\"a\":3}]", {.values = 4}).find("more than 4 values"), std::string::npos);
  EXPECT_NE(why("[[],[],[]]", {.values = 3}).find("more than 3 values"), std::string::npos);
}

TEST(CanonicalJson, ReadsExactlyWhatIsWritten) {
  const Json value = Json::Object{
      {"b", Json::Array{1, -2, Json(), true}}, {"a", "\xC3\xA9\n"}, {"", Json::Object()}};
  const std::string text = canonical_json(value);
  EXPECT_EQ(text, "{\"\":{},\"a\":\"\xC3\xA9\\n\",\"b\":[1,-2,null,true]}");
  const auto read = parse_canonical_json(text, {});
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, value);
}

TEST(CanonicalJson, SecondSpellingsAreRefused) {
  for (const char* lie :
       {" 1", "1\n", "[1, 2]", "{\"b\":1,\"a\":2}", "\"\\u0061\"", "\"\\/\"", "\"\\u000A\"",
        "\"\\u000a\"", "\"\\u001F\"", "\"\\u00e9\"", "-0", "1.0", "1e3", "9007199254740993",
        "{\"\xC3\xA9\":1}", "[0.5]", "{\"a\":{\"b\":0.5}}"}) {
    EXPECT_TRUE(parse_json(lie, {})) << lie;
    const auto read = parse_canonical_json(lie, {});
    ASSERT_FALSE(read) << lie;
    EXPECT_EQ(read.error().code, Code::kInvalidInput);
  }
  EXPECT_EQ(parse_canonical_json("{\"a\":1, \"b\":2}", {}).error().what,
            "json text: another than the canonical spelling at byte 7");
  EXPECT_FALSE(parse_canonical_json("[1]", {.bytes = 2}));
}

TEST(JsonDeathTest, IntegersBeyondTheLimitAreABug) {
  EXPECT_DEATH(Json(std::uint64_t{1} << 63), "integer beyond");
  EXPECT_DEATH(Json(std::int64_t{-9007199254740993}), "integer beyond");
}

}  // namespace
}  // namespace aftune::codec
