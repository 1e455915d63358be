// SPDX-License-Identifier: Apache-2.0
// BLAKE3-256 (https://github.com/BLAKE3-team/BLAKE3-specs), the digest of tensors and of stored
// objects. The result is the standard one: `b3sum` prints the same.
#pragma once

#include <memory>

#include "aftune/base/bytes.h"
#include "aftune/crypto/digest.h"

namespace aftune {

class ThreadPool;

namespace crypto {

/// Threads: pure. Cost: one pass on the calling thread.
Digest blake3(Bytes data);

/// The same digest, the work of long inputs shared out over `pool`.
Digest blake3(Bytes data, ThreadPool& pool);

/// The same digest of bytes that arrive in pieces. Threads: one at a time.
class Blake3 {
 public:
  Blake3();
  ~Blake3();
  Blake3(Blake3&&) noexcept;
  Blake3& operator=(Blake3&&) noexcept;

  void update(Bytes data);
  [[nodiscard]] Digest digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace crypto
}  // namespace aftune
