// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/merkle.h"

#include <fmt/format.h>

#include <bit>

#include "aftune/crypto/merkle_root.h"

namespace aftune::tlog {
namespace {

/// The greatest power of two below `size`. Requires: size >= 2.
std::uint64_t split_of(std::uint64_t size) { return std::bit_floor(size - 1); }

/// PATH of RFC 6962 section 2.1.1, from the leaf up.
void append_path(std::span<const Digest> leaves, std::uint64_t index, std::vector<Digest>& path) {
  if (leaves.size() <= 1) return;
  const std::uint64_t split = split_of(leaves.size());
  const auto left = leaves.first(split);
  const auto right = leaves.subspan(split);
  if (index < split) {
    append_path(left, index, path);
    path.push_back(merkle_root(right));
  } else {
    append_path(right, index - split, path);
    path.push_back(merkle_root(left));
  }
}

enum class OldTree { kKnown, kPartOfLarger };

/// SUBPROOF of RFC 6962 section 2.1.2; `old` says whether the verifier has this subtree's root.
void append_growth(std::span<const Digest> leaves, std::uint64_t old_size, OldTree old,
                   std::vector<Digest>& proof) {
  if (old_size == leaves.size()) {
    if (old == OldTree::kPartOfLarger) proof.push_back(merkle_root(leaves));
    return;
  }
  const std::uint64_t split = split_of(leaves.size());
  const auto left = leaves.first(split);
  const auto right = leaves.subspan(split);
  if (old_size <= split) {
    append_growth(left, old_size, old, proof);
    proof.push_back(merkle_root(right));
  } else {
    append_growth(right, old_size - split, OldTree::kPartOfLarger, proof);
    proof.push_back(merkle_root(left));
  }
}

}  // namespace

Digest leaf_hash(Bytes leaf) { return crypto::rfc6962_leaf_hash(leaf); }

Digest node_hash(const Digest& left, const Digest& right) {
  return crypto::rfc6962_node_hash(left, right);
}

Digest merkle_root(std::span<const Digest> leaf_hashes) {
  return crypto::rfc6962_root(leaf_hashes);
}

Result<std::vector<Digest>> inclusion_proof(std::span<const Digest> leaf_hashes,
                                            std::uint64_t index) {
  if (index >= leaf_hashes.size()) {
    return Error{Code::kInvalidInput,
                 fmt::format("leaf index {}, tree has {} leaves", index, leaf_hashes.size())};
  }
  std::vector<Digest> path;
  append_path(leaf_hashes, index, path);
  return path;
}

Result<std::vector<Digest>> consistency_proof(std::span<const Digest> leaf_hashes,
                                              std::uint64_t old_size) {
  if (old_size > leaf_hashes.size()) {
    return Error{Code::kInvalidInput,
                 fmt::format("old size {}, tree has {} leaves", old_size, leaf_hashes.size())};
  }
  std::vector<Digest> proof;
  if (old_size > 0) append_growth(leaf_hashes, old_size, OldTree::kKnown, proof);
  return proof;
}

bool verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                      std::span<const Digest> proof, const Digest& root) {
  if (index >= size) return false;
  std::uint64_t node = index;  // fn and sn of RFC 9162 section 2.1.3.2
  std::uint64_t last = size - 1;
  Digest hash = leaf;
  for (const Digest& sibling : proof) {
    if (last == 0) return false;
    if ((node & 1) != 0 || node == last) {
      hash = node_hash(sibling, hash);
      while ((node & 1) == 0 && node != 0) {
        node >>= 1;
        last >>= 1;
      }
    } else {
      hash = node_hash(hash, sibling);
    }
    node >>= 1;
    last >>= 1;
  }
  return last == 0 && hash == root;
}

bool verify_consistency(std::uint64_t old_size, const Digest& old_root, std::uint64_t new_size,
                        const Digest& new_root, std::span<const Digest> proof) {
  if (old_size == 0 || old_size > new_size) return false;
  if (old_size == new_size) return proof.empty() && old_root == new_root;
  if (proof.empty()) return false;
  // RFC 9162 section 2.1.4.2: a whole old tree is its own first node, and is left out
  const bool is_whole = std::has_single_bit(old_size);
  Digest old_hash = is_whole ? old_root : proof[0];
  Digest new_hash = old_hash;
  if (!is_whole) proof = proof.subspan(1);
  std::uint64_t node = old_size - 1;
  std::uint64_t last = new_size - 1;
  const int trailing_ones = std::countr_one(node);
  node >>= trailing_ones;
  last >>= trailing_ones;
  for (const Digest& hash : proof) {
    if (last == 0) return false;
    if ((node & 1) != 0 || node == last) {
      old_hash = node_hash(hash, old_hash);
      new_hash = node_hash(hash, new_hash);
      while ((node & 1) == 0 && node != 0) {
        node >>= 1;
        last >>= 1;
      }
    } else {
      new_hash = node_hash(new_hash, hash);
    }
    node >>= 1;
    last >>= 1;
  }
  return last == 0 && old_hash == old_root && new_hash == new_root;
}

void GrowingTree::append(const Digest& leaf) {
  peaks_.push_back(leaf);
  for (std::uint64_t full = size_; (full & 1) != 0; full >>= 1) {
    const Digest right = peaks_.back();
    peaks_.pop_back();
    peaks_.back() = node_hash(peaks_.back(), right);
  }
  ++size_;
}

Digest GrowingTree::root() const {
  if (peaks_.empty()) return merkle_root({});
  Digest root = peaks_.back();
  for (std::size_t i = peaks_.size() - 1; i > 0; --i) root = node_hash(peaks_[i - 1], root);
  return root;
}

}  // namespace aftune::tlog
