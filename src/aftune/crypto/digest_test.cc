// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/digest.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "aftune/crypto/domains.h"

namespace aftune {
namespace {

TEST(Digest, HexReadsBack) {
  Digest digest;
  for (std::size_t i = 0; i < digest.bytes.size(); ++i) {
    digest.bytes[i] = static_cast<std::uint8_t>(i * 8);
  }
  const auto read = parse_digest(digest.hex());
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, digest);
  EXPECT_EQ(*to_digest(digest.view()), digest);
}

TEST(Digest, OtherLengthsAndSpellingsAreRefused) {
  const std::string good(64, 'a');
  EXPECT_TRUE(parse_digest(good));
  for (const std::string& lie :
       {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(66, 'a'),
        std::string(64, 'A'), std::string(64, 'g')}) {
    EXPECT_FALSE(parse_digest(lie)) << lie;
  }
  EXPECT_FALSE(to_digest(ByteBuffer(31)));
  EXPECT_FALSE(to_digest(ByteBuffer(33)));
  EXPECT_EQ(to_digest(ByteBuffer(33)).error().what, "digest has 33 bytes, needs 32");
}

TEST(Domains, DifferAndEndInAZeroByte) {
  using namespace crypto;
  const std::string_view all[] = {kDomainSeed, kDomainNonce,   kDomainOrder,    kDomainSecret,
                                  kDomainDraw, kDomainSaltKey, kDomainListSalt, kDomainRootSalt,
                                  kDomainInit, kDomainAdapter, kDomainDropout,  kDomainMoments};
  for (const std::string_view domain : all) {
    EXPECT_EQ(domain.find('\0'), domain.size() - 1) << domain;
    EXPECT_TRUE(domain.starts_with("aftune ")) << domain;
  }
  EXPECT_EQ(std::set<std::string_view>(std::begin(all), std::end(all)).size(), std::size(all));
}

}  // namespace
}  // namespace aftune
