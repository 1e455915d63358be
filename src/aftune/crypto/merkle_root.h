// SPDX-License-Identifier: Apache-2.0
// The Merkle tree hash of RFC 6962 section 2.1, over SHA-256.
#pragma once

#include <span>

#include "aftune/base/bytes.h"
#include "aftune/crypto/digest.h"

namespace aftune::crypto {

/// SHA-256(0x00 || data): the hash of a leaf with content `data`.
Digest rfc6962_leaf_hash(Bytes data);

/// SHA-256(0x01 || left || right): the hash of an inner node.
Digest rfc6962_node_hash(const Digest& left, const Digest& right);

/// The root of the tree with these leaf hashes, in order; of no leaves: SHA-256 of no bytes.
///
/// Threads: pure. Cost: count - 1 node hashes, memory for one path.
Digest rfc6962_root(std::span<const Digest> leaf_hashes);

}  // namespace aftune::crypto
