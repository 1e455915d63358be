// SPDX-License-Identifier: Apache-2.0
// The Merkle tree of RFC 6962 section 2.1: hashes, roots, proofs and their verification
// (RFC 9162 sections 2.1.3.2 and 2.1.4.2 for the verifying algorithms).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "aftune/base/bytes.h"
#include "aftune/base/result.h"
#include "aftune/crypto/digest.h"

namespace aftune::tlog {

Digest leaf_hash(Bytes leaf);                               // SHA-256(0x00 || leaf)
Digest node_hash(const Digest& left, const Digest& right);  // SHA-256(0x01 || left || right)

/// The root over leaf hashes; SHA-256 of nothing for none.
Digest merkle_root(std::span<const Digest> leaf_hashes);

/// Errors: kInvalidInput for an index outside the tree.
Result<std::vector<Digest>> inclusion_proof(std::span<const Digest> leaf_hashes,
                                            std::uint64_t index);
/// Errors: kInvalidInput unless old_size <= leaf count.
Result<std::vector<Digest>> consistency_proof(std::span<const Digest> leaf_hashes,
                                              std::uint64_t old_size);

[[nodiscard]] bool verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                                    std::span<const Digest> proof, const Digest& root);
[[nodiscard]] bool verify_consistency(std::uint64_t old_size, const Digest& old_root,
                                      std::uint64_t new_size, const Digest& new_root,
                                      std::span<const Digest> proof);

/// A tree that grows leaf by leaf and knows its root at O(log n) a leaf. Threads: one at a time.
class GrowingTree {
 public:
  void append(const Digest& leaf);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] Digest root() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> peaks_;  // roots of the full subtrees, largest first
};

}  // namespace aftune::tlog
