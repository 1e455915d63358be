// SPDX-License-Identifier: Apache-2.0
#include "aftune/crypto/blake3.h"

#include <blake3.h>

#include "aftune/crypto/blake3_tree.h"

namespace aftune::crypto {

struct Blake3::State {
  blake3_hasher hasher;
};

Blake3::Blake3() : state_(std::make_unique<State>()) { blake3_hasher_init(&state_->hasher); }
Blake3::~Blake3() = default;
Blake3::Blake3(Blake3&&) noexcept = default;
Blake3& Blake3::operator=(Blake3&&) noexcept = default;

void Blake3::update(Bytes data) { blake3_hasher_update(&state_->hasher, data.data(), data.size()); }

Digest Blake3::digest() const {
  Digest out;
  blake3_hasher_finalize(&state_->hasher, out.bytes.data(), out.bytes.size());
  return out;
}

Digest blake3(Bytes data) {
  Blake3 hasher;
  hasher.update(data);
  return hasher.digest();
}

Digest blake3(Bytes data, ThreadPool& pool) { return blake3_over_pool(data, pool); }

}  // namespace aftune::crypto
