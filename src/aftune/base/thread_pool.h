// SPDX-License-Identifier: Apache-2.0
// The one pool of compute threads of a program. Each thread runs with round-to-nearest-even and
// with FTZ and DAZ off, as docs/formats/exact-arithmetic.md asks.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace aftune {

/// Sets rounding to nearest even and switches flush-to-zero and denormals-are-zero off in the
/// calling thread. Every thread that computes calls it once.
void set_float_environment();

/// A fixed number of threads that share out the indices of a loop. The calling thread works too,
/// so a pool of one has no extra thread.
///
/// Threads: parallel_for from one thread at a time; not from inside another parallel_for.
class ThreadPool {
 public:
  /// Requires: thread_count >= 1. Also sets the float environment of the calling thread.
  explicit ThreadPool(unsigned thread_count);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] unsigned thread_count() const;

  /// Calls `body(index)` once for each index in [0, count), in no stated order, and returns when
  /// all are done. `body` must not throw and each index must write its own output.
  void parallel_for(std::size_t count, const std::function<void(std::size_t index)>& body);

  /// As parallel_for over contiguous ranges [begin, end) of about `grain` indices (at least 1).
  void parallel_ranges(std::size_t count, std::size_t grain,
                       const std::function<void(std::size_t begin, std::size_t end)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace aftune
