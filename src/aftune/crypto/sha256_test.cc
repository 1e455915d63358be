// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/sha256.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>

#include "aftune/base/hex.h"

namespace aftune::crypto {
namespace {

constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Sha256, KnownDigests) {
  EXPECT_EQ(sha256(Bytes()).hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(as_bytes("abc")).hex(), kAbc);
  EXPECT_EQ(sha256(as_bytes(std::string(1000000, 'a'))).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesHaveNothingBetweenThem) {
  EXPECT_EQ(sha256({as_bytes("a"), Bytes(), as_bytes("bc")}).hex(), kAbc);
  EXPECT_EQ(sha256({}).hex(), sha256(Bytes()).hex());
  const std::string text(300, 'x');
  for (const std::size_t piece : {1, 55, 56, 63, 64, 65, 299}) {
    Sha256 hasher;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      hasher.update(as_bytes(std::string_view(text).substr(at, piece)));
    }
    EXPECT_EQ(hasher.digest(), sha256(as_bytes(text))) << piece;
  }
}

TEST(Sha256, AskingForTheDigestEndsNothing) {
  Sha256 hasher;
  hasher.update(as_bytes("ab"));
  EXPECT_EQ(hasher.digest(), sha256(as_bytes("ab")));
  Sha256 moved = std::move(hasher);
  moved.update(as_bytes("c"));
  EXPECT_EQ(moved.digest().hex(), kAbc);
}

TEST(Sha256, OtherThreadsGiveTheSame) {
  Digest other;
  std::thread([&other] { other = sha256(as_bytes("abc")); }).join();
  EXPECT_EQ(other.hex(), kAbc);
}

// RFC 4231 sections 4.2, 4.3 and 4.7 (a key longer than a block).
TEST(HmacSha256, AgreesWithRfc4231) {
  EXPECT_EQ(hmac_sha256(ByteBuffer(20, 0x0b), as_bytes("Hi There")).hex(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?")).hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256(ByteBuffer(131, 0xaa),
                        as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))
                .hex(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacSha256, TakesEmptyKeyAndMessage) {
  EXPECT_EQ(hmac_sha256({}, {}).hex(),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

// RFC 5869 appendix A.3: no salt, no context; the first 32 of its 42 bytes.
TEST(HkdfSha256, AgreesWithRfc5869) {
  EXPECT_EQ(hkdf_sha256(ByteBuffer(22, 0x0b), {}).hex(),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
  EXPECT_NE(hkdf_sha256(ByteBuffer(22, 0x0b), as_bytes("x")),
            hkdf_sha256(ByteBuffer(22, 0x0b), as_bytes("y")));
}

TEST(Sha256File, HashesTheBytesOfTheFile) {
  const Path path = testing::TempDir() + "aftune-sha256-file";
  ASSERT_TRUE(write_file(path, as_bytes("abc")));
  const auto digest = sha256_file(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(digest);
  EXPECT_EQ(digest->hex(), kAbc);
  const auto missing = sha256_file(path);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_EQ(sha256_file(testing::TempDir()).error().code, Code::kInvalidInput);
}

}  // namespace
}  // namespace aftune::crypto
