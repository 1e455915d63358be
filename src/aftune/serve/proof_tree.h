// SPDX-License-Identifier: Apache-2.0
// A Merkle tree that proves any of its leaves while it grows.
#pragma once

#include <cstdint>
#include <vector>

#include "aftune/crypto/digest.h"

namespace aftune::serve {

/// The tree of RFC 6962 with all its whole subtrees kept. Threads: one at a time.
/// Cost: O(1) hashes a leaf, O(log^2) a proof; 64 bytes a leaf.
class ProofTree {
 public:
  void append(const Digest& leaf);
  [[nodiscard]] std::uint64_t size() const { return levels_[0].size(); }
  /// Requires: index < size().
  [[nodiscard]] std::vector<Digest> proof(std::uint64_t index) const;

 private:
  [[nodiscard]] Digest root(std::uint64_t begin, std::uint64_t end) const;

  std::vector<std::vector<Digest>> levels_{1};  // [l]: roots of the whole subtrees of 2^l leaves
};

}  // namespace aftune::serve
