// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/secret_bytes.h"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace aftune::crypto {
namespace {

static_assert(!std::is_copy_constructible_v<SecretBytes>);
static_assert(!std::is_copy_assignable_v<SecretBytes>);

SecretBytes secret(std::string_view text) {
  const Bytes bytes = as_bytes(text);
  return SecretBytes(ByteBuffer(bytes.begin(), bytes.end()));
}

TEST(SecretBytes, EqualsComparesContentAndLength) {
  const SecretBytes key = secret("abc");
  EXPECT_TRUE(key.equals(as_bytes("abc")));
  for (const char* lie : {"", "ab", "abcd", "abd", "bbc"}) EXPECT_FALSE(key.equals(as_bytes(lie)));
  EXPECT_TRUE(SecretBytes().equals({}));
}

TEST(SecretBytes, MovingLeavesNothingBehind) {
  SecretBytes one = secret("abc");
  SecretBytes two(std::move(one));
  EXPECT_EQ(one.size(), 0u);  // NOLINT(bugprone-use-after-move): the point of the test
  EXPECT_EQ(as_text(two.reveal()), "abc");
  SecretBytes three = secret("old");
  three = std::move(two);
  EXPECT_EQ(two.size(), 0u);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(as_text(three.reveal()), "abc");
}

TEST(SecretBytes, WipeOverwritesEveryByte) {
  std::string text = "seed";
  wipe(text);
  EXPECT_EQ(text, std::string(4, '\0'));
}

}  // namespace
}  // namespace aftune::crypto
