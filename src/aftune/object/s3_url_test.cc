// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/s3_url.h"

#include <gtest/gtest.h>

namespace aftune::object {
namespace {

TEST(S3Url, HasABucketAndAPrefix) {
  const auto url = parse_s3_url("s3://evidence-1.eu/runs/2027_a/B.c");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->bucket, "evidence-1.eu");
  EXPECT_EQ(url->key_start(), "runs/2027_a/B.c/");
  EXPECT_EQ(url->text(), "s3://evidence-1.eu/runs/2027_a/B.c");
}

TEST(S3Url, MayBeABucketAlone) {
  const auto url = parse_s3_url("s3://abc");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->key_start(), "");
  EXPECT_EQ(url->text(), "s3://abc");
}

TEST(S3Url, OfAnotherFormIsRefused) {
  for (const std::string text :
       {"", "s3:", "s3://", "s3://ab", "s3://Abc", "s3://-abc", "s3://abc.", "s3://a_c/x",
        "http://abc/x", "s3://abc/", "s3://abc/x/", "s3://abc//x", "s3://abc/../x", "s3://abc/.x",
        "s3://abc/x y", "s3://abc/x?y", "s3://abc/x%2f", "S3://abc/x"}) {
    const auto url = parse_s3_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, Code::kInvalidInput);
  }
  EXPECT_TRUE(parse_s3_url("s3://" + std::string(63, 'a')));
  EXPECT_FALSE(parse_s3_url("s3://" + std::string(64, 'a')));
  EXPECT_TRUE(parse_s3_url("s3://abc/" + std::string(255, 'a')));
  EXPECT_FALSE(parse_s3_url("s3://abc/" + std::string(256, 'a')));
}

TEST(PercentEncode, KeepsLettersDigitsAndFourSigns) {
  const std::string kept = "AZaz09-._~";
  EXPECT_EQ(percent_encode(kept, Slash::kEncoded), kept);
  EXPECT_EQ(percent_encode(" +%$&=/", Slash::kEncoded), "%20%2B%25%24%26%3D%2F");
  EXPECT_EQ(percent_encode("a/b", Slash::kKept), "a/b");
  EXPECT_EQ(percent_encode("\xC3\xBC", Slash::kKept), "%C3%BC");
}

}  // namespace
}  // namespace aftune::object
