// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/merkle_root.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "aftune/crypto/sha256.h"

namespace aftune::crypto {
namespace {

constexpr std::uint8_t kLeaf = 0x00;
constexpr std::uint8_t kNode = 0x01;

}  // namespace

Digest rfc6962_leaf_hash(Bytes data) { return sha256({Bytes(&kLeaf, 1), data}); }

Digest rfc6962_node_hash(const Digest& left, const Digest& right) {
  return sha256({Bytes(&kNode, 1), left.view(), right.view()});
}

Digest rfc6962_root(std::span<const Digest> leaf_hashes) {
  if (leaf_hashes.empty()) return sha256(Bytes());
  // The roots of the full subtrees to the left of the next leaf, largest first: one for each bit
  // that is set in the number of leaves so far.
  std::vector<Digest> peaks;
  const auto merge_last_two = [&peaks] {
    const Digest right = peaks.back();
    peaks.pop_back();
    peaks.back() = rfc6962_node_hash(peaks.back(), right);
  };
  for (std::size_t i = 0; i < leaf_hashes.size(); ++i) {
    peaks.push_back(leaf_hashes[i]);
    for (std::size_t full = i; (full & 1) != 0; full >>= 1) merge_last_two();
  }
  while (peaks.size() > 1) merge_last_two();
  return peaks.front();
}

}  // namespace aftune::crypto
