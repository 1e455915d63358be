// SPDX-License-Identifier: Apache-2.0
// Working memory of a thread, kept from call to call: fresh pages cost more than small products.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace aftune::numerics {

/// Grows and never shrinks. What it holds is unspecified after each call of at_least().
class Scratch {
 public:
  static constexpr std::size_t kAlignment = 64;

  /// At least `bytes` bytes at a multiple of kAlignment, valid until the next call.
  std::byte* at_least(std::size_t bytes) {
    if (bytes > size_) {
      memory_.reset();
      memory_.reset(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment})));
      size_ = bytes;
    }
    return memory_.get();
  }
  float* floats(std::size_t count) {
    return reinterpret_cast<float*>(at_least(count * sizeof(float)));
  }

 private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete (p, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_ = 0;
};

}  // namespace aftune::numerics
