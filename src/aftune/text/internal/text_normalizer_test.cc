// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/text_normalizer.h"

#include <gtest/gtest.h>

namespace aftune::text {
namespace {

const std::string kPrepend = R"({"type":"Prepend","prepend":"_"})";
const std::string kReplace = R"({"type":"Replace","pattern":{"String":" "},"content":"_"})";
const std::string kNfc = R"({"type":"NFC"})";

std::string sequence(const std::string& steps) {
  return R"({"type":"Sequence","normalizers":[)" + steps + "]}";
}

Result<TextNormalizer> parse(const std::string& json, Alphabet alphabet) {
  const auto value = codec::parse_json(json, {});
  return TextNormalizer::parse(&*value, alphabet);
}

std::string applied(const std::string& json, const std::string& text,
                    Alphabet alphabet = Alphabet::kCharacters) {
  const auto made = parse(json, alphabet);
  EXPECT_TRUE(made) << json << ": " << made.error().what;
  return *made->apply(text);
}

TEST(TextNormalizer, TakesItsStepsInOrder) {
  EXPECT_EQ(applied(sequence(kPrepend + "," + kReplace), "a  b"), "_a__b");
  EXPECT_EQ(applied(sequence(kReplace + "," + kPrepend), " a"), "__a");
  EXPECT_EQ(applied(kReplace, " a "), "_a_");
  EXPECT_EQ(applied(kPrepend, ""), "") << "nothing stays nothing";
  EXPECT_EQ(applied(kNfc, "e\u0301", Alphabet::kBytes), "\u00e9");
}

TEST(TextNormalizer, ReplacesFromTheLeft) {
  EXPECT_EQ(replace_all("aaaa a", "aa", "b"), "bb a");
  EXPECT_EQ(replace_all("", "a", "b"), "");
  EXPECT_EQ(replace_all("aba", "a", ""), "b");
  EXPECT_EQ(replace_all("aa", "a", "aa"), "aaaa");
}

TEST(TextNormalizer, ChangesNothingWhereThereIsNone) {
  const auto none = TextNormalizer::parse(nullptr, Alphabet::kBytes);
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->changes_text());
  EXPECT_EQ(*none->apply(" e\u0301"), " e\u0301");
}

TEST(TextNormalizer, RefusesWhatItDoesNotKnowByName) {
  std::string many = kPrepend;
  for (int i = 0; i < 16; ++i) many += "," + kPrepend;
  const struct {
    std::string json;
    Alphabet alphabet;
    std::string named;
  } lies[] = {
      {kPrepend, Alphabet::kBytes, "normalizer: type Prepend"},
      {sequence(kNfc), Alphabet::kBytes, "normalizer: type Sequence"},
      {kNfc, Alphabet::kCharacters, "normalizer: type NFC"},
      {sequence(kPrepend + "," + kNfc), Alphabet::kCharacters, "normalizer[1]: type NFC"},
      {sequence(sequence(kPrepend)), Alphabet::kCharacters, "normalizer[0]: type Sequence"},
      {sequence(many), Alphabet::kCharacters, "16 steps"},
      {R"({"type":"Replace","pattern":{"Regex":" "},"content":"_"})", Alphabet::kCharacters,
       "normalizer.pattern"},
      {R"({"type":"Replace","pattern":{"String":""},"content":"_"})", Alphabet::kCharacters,
       "normalizer.pattern"},
      {R"({"type":"Prepend","prepend":"_","append":"_"})", Alphabet::kCharacters, "append"},
  };
  for (const auto& lie : lies) {
    const auto made = parse(lie.json, lie.alphabet);
    ASSERT_FALSE(made) << lie.json;
    EXPECT_NE(made.error().what.find(lie.named), std::string::npos) << made.error().what;
  }
}

}  // namespace
}  // namespace aftune::text
