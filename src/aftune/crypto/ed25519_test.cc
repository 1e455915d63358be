// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/ed25519.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "aftune/base/hex.h"

namespace aftune::crypto {
namespace {

PublicKey public_key(std::string_view hex) {
  PublicKey out;
  const auto bytes = from_hex(hex);
  std::copy(bytes->begin(), bytes->end(), out.bytes.begin());
  return out;
}

PrivateKey private_key(std::string_view seed_hex) {
  return *PrivateKey::from_seed(SecretBytes(*from_hex(seed_hex)));
}

// RFC 8032 section 7.1.
struct Vector {
  const char *name, *seed, *key, *message, *signature;
};
constexpr Vector kRfc8032[] = {
    {"TEST 1", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"TEST 2", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"TEST 3", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

TEST(Ed25519, SignsAndVerifiesAsInRfc8032) {
  for (const Vector& vector : kRfc8032) {
    const PrivateKey key = private_key(vector.seed);
    const ByteBuffer message = *from_hex(vector.message);
    EXPECT_EQ(to_hex(key.public_key().bytes), vector.key) << vector.name;
    EXPECT_EQ(to_hex(key.sign(message)), vector.signature) << vector.name;
    EXPECT_TRUE(verify_ed25519(public_key(vector.key), message, *from_hex(vector.signature)));
  }
}

TEST(Ed25519, LiesAreRefused) {
  const Vector& honest = kRfc8032[2];
  const PublicKey key = public_key(honest.key);
  const ByteBuffer message = *from_hex(honest.message);
  const ByteBuffer signature = *from_hex(honest.signature);
  for (std::size_t bit = 0; bit < 8 * signature.size(); bit += 5) {
    ByteBuffer lie = signature;
    lie[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(verify_ed25519(key, message, lie)) << "bit " << bit << " flipped";
  }
  const ByteBuffer other = *from_hex("af83");
  EXPECT_FALSE(verify_ed25519(key, other, signature)) << "another message";
  EXPECT_FALSE(verify_ed25519(key, Bytes(message).first(1), signature)) << "a shorter message";
  EXPECT_FALSE(verify_ed25519(public_key(kRfc8032[1].key), message, signature)) << "another key";
  EXPECT_FALSE(verify_ed25519(key, message, {})) << "no signature";
  EXPECT_FALSE(verify_ed25519(key, message, Bytes(signature).first(63))) << "short";
  ByteBuffer longer = signature;
  longer.push_back(0);
  EXPECT_FALSE(verify_ed25519(key, message, longer)) << "long";
  ByteBuffer swapped(signature.begin() + 32, signature.end());
  swapped.insert(swapped.end(), signature.begin(), signature.begin() + 32);
  EXPECT_FALSE(verify_ed25519(key, message, swapped)) << "halves swapped";
}

TEST(Ed25519, ASecondSpellingOfSIsRefused) {
  const Vector& honest = kRfc8032[1];
  ByteBuffer lie = *from_hex(honest.signature);
  const ByteBuffer order =
      *from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    carry += lie[32 + i] + order[i];
    lie[32 + i] = static_cast<std::uint8_t>(carry & 0xff);
    carry >>= 8;
  }
  EXPECT_FALSE(verify_ed25519(public_key(honest.key), *from_hex(honest.message), lie));
}

TEST(Ed25519, KeysOfSmallOrderVerifyNothing) {
  // With S = 0 and R the neutral element, a key of small order satisfies the equation for many
  // messages: here for all of them.
  PublicKey neutral;
  neutral.bytes[0] = 1;
  ByteBuffer signature(64);
  signature[0] = 1;
  EXPECT_FALSE(verify_ed25519(neutral, as_bytes("any"), signature));
}

// The rule of docs/formats/keys.md in terms of the vectors' flags.
TEST(Ed25519, PublishedVectorsFollowTheRuleOfThePage) {
  std::ifstream file(AFTUNE_SOURCE_DIR "/../shared/vectors/ed25519/ed25519vectors.json");
  if (!file) GTEST_SKIP() << "the published Ed25519 vectors are not beside the source tree";
  const std::set<std::string> refused = {"low_order_A", "low_order_R", "non_canonical_A",
                                         "non_canonical_R", "low_order_residue"};
  int valid = 0;
  int all = 0;
  for (const auto& entry : nlohmann::json::parse(file)) {
    bool expected = true;
    if (entry["flags"].is_array()) {
      for (const auto& flag : entry["flags"]) {
        if (refused.contains(flag.get<std::string>())) expected = false;
      }
    }
    EXPECT_EQ(verify_ed25519(public_key(entry["key"].get<std::string>()),
                             as_bytes(entry["msg"].get_ref<const std::string&>()),
                             *from_hex(entry["sig"].get<std::string>())),
              expected)
        << "vector " << entry["number"];
    valid += expected ? 1 : 0;
    ++all;
  }
  EXPECT_EQ(all, 914);
  EXPECT_EQ(valid, 43);
}

TEST(PrivateKey, OnlySeedsOf32BytesMakeOne) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{31}, std::size_t{33}, std::size_t{64}}) {
    const auto key = PrivateKey::from_seed(SecretBytes(ByteBuffer(size)));
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, Code::kInvalidInput);
  }
}

TEST(PrivateKey, GeneratedOnesDifferAndVerify) {
  const PrivateKey one = PrivateKey::generate();
  const PrivateKey two = PrivateKey::generate();
  EXPECT_NE(one.public_key(), two.public_key());
  EXPECT_TRUE(verify_ed25519(one.public_key(), as_bytes("m"), one.sign(as_bytes("m"))));
  EXPECT_FALSE(verify_ed25519(two.public_key(), as_bytes("m"), one.sign(as_bytes("m"))));
  EXPECT_TRUE(one.seed().equals(one.seed().reveal()));
}

}  // namespace
}  // namespace aftune::crypto
