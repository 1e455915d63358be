// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/merkle_root.h"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

#include "aftune/crypto/sha256.h"

namespace aftune::crypto {
namespace {

// RFC 6962 as it is written: split at the largest power of two below the count.
Digest root_by_the_book(std::span<const Digest> leaves) {
  if (leaves.empty()) return sha256(Bytes());
  if (leaves.size() == 1) return leaves[0];
  const std::size_t split = std::bit_floor(leaves.size() - 1);
  return rfc6962_node_hash(root_by_the_book(leaves.first(split)),
                           root_by_the_book(leaves.subspan(split)));
}

std::vector<Digest> painted_leaves(std::size_t count) {
  std::vector<Digest> leaves(count);
  for (std::size_t i = 0; i < count; ++i) {
    const ByteBuffer data = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8)};
    leaves[i] = rfc6962_leaf_hash(data);
  }
  return leaves;
}

TEST(MerkleRoot, KnownHashes) {
  EXPECT_EQ(rfc6962_root({}).hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(rfc6962_leaf_hash({}).hex(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  // The eight leaves of the Certificate Transparency reference tests.
  const char* const leaves_hex[] = {"",
                                    "00",
                                    "10",
                                    "2021",
                                    "3031",
                                    "40414243",
                                    "5051525354555657",
                                    "606162636465666768696a6b6c6d6e6f"};
  std::vector<Digest> leaves;
  for (const char* hex : leaves_hex) leaves.push_back(rfc6962_leaf_hash(*from_hex(hex)));
  EXPECT_EQ(rfc6962_root(leaves).hex(),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
}

TEST(MerkleRoot, AgreesWithTheDefinitionForAllSmallTrees) {
  const std::vector<Digest> leaves = painted_leaves(300);
  for (std::size_t count = 0; count <= 130; ++count) {
    const auto part = std::span(leaves).first(count);
    ASSERT_EQ(rfc6962_root(part), root_by_the_book(part)) << count;
  }
  for (const std::size_t count : {255, 256, 257, 300}) {
    const auto part = std::span(leaves).first(count);
    ASSERT_EQ(rfc6962_root(part), root_by_the_book(part)) << count;
  }
}

TEST(MerkleRoot, LiesHaveAnotherRoot) {
  std::vector<Digest> leaves = painted_leaves(11);
  const Digest honest = rfc6962_root(leaves);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    leaves[i].bytes[31] ^= 1;
    EXPECT_NE(rfc6962_root(leaves), honest) << "bit of leaf " << i << " flipped";
    leaves[i].bytes[31] ^= 1;
  }
  EXPECT_NE(rfc6962_root(std::span(leaves).first(10)), honest) << "last leaf dropped";
  std::swap(leaves[3], leaves[4]);
  EXPECT_NE(rfc6962_root(leaves), honest) << "leaves swapped";
  std::swap(leaves[3], leaves[4]);
  leaves.push_back(leaves.back());
  EXPECT_NE(rfc6962_root(leaves), honest) << "last leaf repeated";
}

TEST(MerkleRoot, LeavesAndNodesCannotBeConfused) {
  const std::vector<Digest> leaves = painted_leaves(2);
  ByteBuffer both(leaves[0].bytes.begin(), leaves[0].bytes.end());
  append(both, leaves[1].view());
  EXPECT_NE(rfc6962_leaf_hash(both), rfc6962_node_hash(leaves[0], leaves[1]));
  EXPECT_NE(rfc6962_node_hash(leaves[0], leaves[1]), rfc6962_node_hash(leaves[1], leaves[0]));
}

}  // namespace
}  // namespace aftune::crypto
