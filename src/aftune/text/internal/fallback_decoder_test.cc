// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/internal/fallback_decoder.h"

#include <gtest/gtest.h>

#include <vector>

namespace aftune::text {
namespace {

const std::string kReplace = R"({"type":"Replace","pattern":{"String":"_"},"content":" "})";
const std::string kFallback = R"({"type":"ByteFallback"})";
const std::string kFuse = R"({"type":"Fuse"})";
const std::string kStrip = R"({"type":"Strip","content":" ","start":1,"stop":0})";

std::string sequence(const std::vector<std::string>& steps) {
  std::string out = R"({"type":"Sequence","decoders":[)";
  for (const std::string& step : steps) out += (&step == &steps.front() ? "" : ",") + step;
  return out + "]}";
}

Result<FallbackDecoder> parse_decoder(const std::string& json) {
  return FallbackDecoder::parse(*codec::parse_json(json, {}));
}

std::string joined(const std::vector<std::string>& tokens, bool strips = true) {
  std::vector<std::string> steps = {kReplace, kFallback, kFuse};
  if (strips) steps.push_back(kStrip);
  const auto decoder = parse_decoder(sequence(steps));
  EXPECT_TRUE(decoder) << decoder.error().what;
  FallbackDecoder::Joining joining(*decoder);
  for (const std::string& token : tokens) joining.add(token);
  return std::move(joining).finish();
}

TEST(FallbackDecoder, TellsByteTokensFromOthers) {
  EXPECT_EQ(byte_of_token("<0x0A>"), 10);
  EXPECT_EQ(byte_of_token("<0xff>"), 255);
  for (const char* other :
       {"<0x0A", "<0xG0>", "<0x0G>", "<0x00A>", "<1x0A>", "0x0A>>", "", "<0x+1>"}) {
    EXPECT_EQ(byte_of_token(other), std::nullopt) << other;
  }
  for (unsigned b = 0; b < 256; ++b) {
    EXPECT_EQ(byte_of_token(token_of_byte(static_cast<std::uint8_t>(b))), b);
  }
}

TEST(FallbackDecoder, JoinsTokensWithSpacesForMarks) {
  EXPECT_EQ(joined({"_a", "b", "__c"}), "ab  c");
  EXPECT_EQ(joined({"_", "_a"}), " a") << "one space is taken away";
  EXPECT_EQ(joined({"_a", "_b"}, false), " a b");
  EXPECT_EQ(joined({"a"}), "a");
  EXPECT_EQ(joined({}), "");
}

TEST(FallbackDecoder, ARunOfBytesIsTextAsAWholeOrNot) {
  EXPECT_EQ(joined({"<0xE2>", "<0x82>", "<0xAC>"}), "\u20ac");
  EXPECT_EQ(joined({"<0xE2>", "<0x82>", "x"}), "\ufffd\ufffdx");
  EXPECT_EQ(joined({"<0x41>", "<0xE2>"}), "\ufffd\ufffd") << "the letter goes with it";
  EXPECT_EQ(joined({"<0x41>", "x", "<0xE2>"}), "Ax\ufffd");
  EXPECT_EQ(joined({"<0x20>", "<0x41>"}), "A") << "stripping comes last";
}

TEST(FallbackDecoder, RefusesWhatItDoesNotKnowByName) {
  const std::string regex = R"({"type":"Replace","pattern":{"Regex":"_"},"content":" "})";
  const std::string twice = R"({"type":"Strip","content":"ab","start":1,"stop":0})";
  const std::string behind = R"({"type":"Strip","content":" ","start":0,"stop":1})";
  const std::pair<std::string, std::string> lies[] = {
      {sequence({}), "without Replace"},
      {sequence({kReplace, kFallback}), "without Fuse"},
      {sequence({kFallback, kReplace, kFuse}), "decoder[0]: type ByteFallback"},
      {sequence({kReplace, kFuse, kFallback}), "decoder[1]: type Fuse"},
      {sequence({kReplace, kFallback, kFuse, kFuse}), "decoder[3]: type Fuse"},
      {sequence({kReplace, kFallback, kFuse, kStrip, kStrip}), "behind Strip"},
      {sequence({regex, kFallback, kFuse}), "decoder[0].pattern"},
      {sequence({kReplace, kFallback, kFuse, twice}), "decoder[3].content"},
      {sequence({kReplace, kFallback, kFuse, behind}), "decoder[3].stop: 1"},
      {R"({"type":"Metaspace"})", "type Metaspace"},
  };
  for (const auto& [json, named] : lies) {
    const auto made = parse_decoder(json);
    ASSERT_FALSE(made) << json;
    EXPECT_NE(made.error().what.find(named), std::string::npos) << made.error().what;
  }
}

}  // namespace
}  // namespace aftune::text
