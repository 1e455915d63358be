// SPDX-License-Identifier: Apache-2.0
#include "bench/read_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <new>

namespace aftune::bench {
namespace {

constexpr std::align_val_t kAlignment{std::size_t{2} << 20};
constexpr std::size_t kLine = 8;  // words of a cache line

}  // namespace

void ReadBuffer::Free::operator()(std::uint64_t* p) const { ::operator delete(p, kAlignment); }

ReadBuffer::ReadBuffer(std::size_t bytes)
    : words_(bytes / sizeof(std::uint64_t)),
      memory_(static_cast<std::uint64_t*>(::operator new(bytes, kAlignment))) {
#if defined(MADV_HUGEPAGE)
  static_cast<void>(madvise(memory_.get(), bytes, MADV_HUGEPAGE));
#endif
  std::fill_n(memory_.get(), words_, 1);
}

std::uint64_t ReadBuffer::read(ThreadPool& pool) const {
  const std::size_t threads = pool.thread_count();
  const std::size_t each = words_ / threads / kLine * kLine;
  std::atomic<std::uint64_t> total{0};
  pool.parallel_for(threads, [&](std::size_t index) {
    const std::uint64_t* p = memory_.get() + index * each;
    std::uint64_t lanes[2 * kLine] = {};
    for (std::size_t i = 0; i + 2 * kLine <= each; i += 2 * kLine) {
      for (std::size_t n = 0; n < 2 * kLine; ++n) lanes[n] += p[i + n];
    }
    std::uint64_t sum = 0;
    for (const std::uint64_t lane : lanes) sum += lane;
    total += sum;
  });
  return total;
}

}  // namespace aftune::bench
