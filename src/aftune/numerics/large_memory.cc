// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/internal/large_memory.h"

#include <sys/mman.h>

#include <new>

namespace aftune::numerics {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kLargePage = std::size_t{2} << 20;

std::size_t alignment_of(std::size_t bytes) { return bytes < kLargePage ? kLine : kLargePage; }

}  // namespace

void LargeMemory::Free::operator()(std::byte* p) const {
  ::operator delete (p, std::align_val_t{alignment});
}

LargeMemory::LargeMemory(std::size_t bytes)
    : memory_(nullptr, {alignment_of(bytes)}), size_(bytes) {
  const std::align_val_t alignment{alignment_of(bytes)};
  memory_.reset(static_cast<std::byte*>(::operator new(bytes, alignment)));
#if defined(MADV_HUGEPAGE)
  // A wish: where it is not granted, the pages are small.
  if (bytes >= kLargePage) static_cast<void>(madvise(memory_.get(), bytes, MADV_HUGEPAGE));
#endif
}

}  // namespace aftune::numerics
