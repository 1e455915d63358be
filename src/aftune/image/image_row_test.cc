// SPDX-License-Identifier: Apache-2.0
#include "aftune/image/image_row.h"

#include <gtest/gtest.h>

#include "aftune/codec/base64.h"

namespace aftune::image {
namespace {

ImageRow painted() {
  ImageRow row{{2, 3, 4, ByteBuffer(24)}, 7};
  for (std::size_t i = 0; i < 24; ++i) row.image.pixels[i] = static_cast<std::uint8_t>(11 * i);
  return row;
}

TEST(ImageRow, IsReadAsItIsSpelled) {
  const std::string text = spell_row(painted());
  EXPECT_EQ(text, R"({"channels":2,"height":3,"label":7,"pixels":")" +
                      codec::to_base64(painted().image.pixels) + R"(","width":4})");
  const auto got = parse_row(text);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, painted());
}

TEST(ImageRow, OtherMembersAreIgnored) {
  std::string text = spell_row(painted());
  text.insert(1, R"("file":"a.png",)");
  const auto got = parse_row(text);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, painted());
}

TEST(ImageRow, WhatIsNoImageIsRefusedByName) {
  const std::tuple<const char*, const char*, const char*> lies[] = {
      {R"("channels":2)", R"("channels":0)", "member \"channels\" is no integer from 1 to 16"},
      {R"("channels":2)", R"("channel":2)", "member \"channels\" is missing"},
      {R"("height":3)", R"("height":"3")", "member \"height\" is no integer from 1 to 4096"},
      {R"("width":4)", R"("width":4097)", "member \"width\" is no integer from 1 to 4096"},
      {R"("width":4)", R"("width":5)", "member \"pixels\" has 24 bytes, the image 30"},
      {R"("label":7)", R"("label":-1)", "member \"label\" is no integer from 0 to 4194303"},
      {R"("label":7)", R"("label":7.5)", "member \"label\" is no integer from 0 to 4194303"},
      {R"("pixels":")", R"("pixels":7,"x":")", "member \"pixels\" is no string"},
      {R"("pixels":")", R"("picture":")", "member \"pixels\" is missing"},
      {R"("pixels":")", R"("pixels":"!)", "member \"pixels\""},
  };
  for (const auto& [what, by, message] : lies) {
    std::string text = spell_row(painted());
    const std::size_t at = text.find(what);
    ASSERT_NE(at, std::string::npos) << what;
    text.replace(at, std::string(what).size(), by);
    const auto got = parse_row(text);
    ASSERT_FALSE(got) << by;
    EXPECT_EQ(got.error().code, Code::kInvalidInput);
    EXPECT_EQ(got.error().what.find(message), 0U) << got.error().what;
  }
  EXPECT_EQ(parse_row("[]").error().what, "no JSON object");
}

}  // namespace
}  // namespace aftune::image
