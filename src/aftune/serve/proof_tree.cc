// SPDX-License-Identifier: Apache-2.0
#include "aftune/serve/proof_tree.h"

#include <algorithm>
#include <bit>

#include "aftune/base/check.h"
#include "aftune/tlog/merkle.h"

namespace aftune::serve {
namespace {

/// The greatest power of two below `count`. Requires: count >= 2.
std::uint64_t split_of(std::uint64_t count) { return std::bit_floor(count - 1); }

}  // namespace

void ProofTree::append(const Digest& leaf) {
  Digest node = leaf;
  for (std::size_t level = 0;; ++level) {
    if (level == levels_.size()) levels_.emplace_back();
    std::vector<Digest>& row = levels_[level];
    row.push_back(node);
    if (row.size() % 2 != 0) return;
    node = tlog::node_hash(row[row.size() - 2], row.back());
  }
}

Digest ProofTree::root(std::uint64_t begin, std::uint64_t end) const {
  const std::uint64_t count = end - begin;
  if (std::has_single_bit(count)) {  // then `begin` is a multiple of it
    const auto level = static_cast<std::size_t>(std::countr_zero(count));
    return levels_[level][begin >> level];
  }
  const std::uint64_t middle = begin + split_of(count);
  return tlog::node_hash(root(begin, middle), root(middle, end));
}

std::vector<Digest> ProofTree::proof(std::uint64_t index) const {
  AFTUNE_CHECK(index < size(), "a leaf outside the tree");
  std::vector<Digest> path;
  std::uint64_t begin = 0, end = size();
  while (end - begin > 1) {
    const std::uint64_t middle = begin + split_of(end - begin);
    if (index < middle) {
      path.push_back(root(middle, end));
      end = middle;
    } else {
      path.push_back(root(begin, middle));
      begin = middle;
    }
  }
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace aftune::serve
