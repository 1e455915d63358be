// SPDX-License-Identifier: Apache-2.0
// What a decoder's speed is compared with: reading a buffer that no cache holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "aftune/base/thread_pool.h"

namespace aftune::bench {

/// Memory in large pages where the system has them.
class ReadBuffer {
 public:
  explicit ReadBuffer(std::size_t bytes);

  /// Reads each byte once, every thread of the pool an equal stretch. Returns a sum of it all.
  std::uint64_t read(ThreadPool& pool) const;

 private:
  struct Free {
    void operator()(std::uint64_t* p) const;
  };
  std::size_t words_;
  std::unique_ptr<std::uint64_t, Free> memory_;
};

}  // namespace aftune::bench
