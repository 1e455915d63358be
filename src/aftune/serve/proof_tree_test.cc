// SPDX-License-Identifier: Apache-2.0
#include "aftune/serve/proof_tree.h"

#include <gtest/gtest.h>

#include "aftune/tlog/merkle.h"

namespace aftune::serve {
namespace {

TEST(ProofTree, ProvesEveryLeafOfEverySmallTree) {
  ProofTree tree;
  std::vector<Digest> leaves;
  for (std::uint8_t size = 1; size <= 70; ++size) {
    Digest leaf;
    leaf.bytes.fill(size);
    leaves.push_back(leaf);
    tree.append(leaf);
    ASSERT_EQ(tree.size(), leaves.size());
    for (std::uint64_t index = 0; index < size; ++index) {
      EXPECT_EQ(tree.proof(index), *tlog::inclusion_proof(leaves, index))
          << index << " of " << int{size};
    }
  }
}

}  // namespace
}  // namespace aftune::serve
