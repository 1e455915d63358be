// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/dropout.h"

#include <algorithm>

#include "aftune/base/check.h"
#include "aftune/numerics/philox.h"

namespace aftune::numerics {
namespace {

constexpr std::size_t kWords = 4;     // of one call of the generator
constexpr std::size_t kGrain = 4096;  // calls that one thread takes at a time
constexpr std::uint64_t kLimit = std::uint64_t{1} << 34;

}  // namespace

void dropout(const Engine& engine, const DropoutMask& mask, ConstMatrix x, Matrix out) {
  AFTUNE_CHECK(x.rows == out.rows && x.cols == out.cols, "operands differ in shape");
  AFTUNE_CHECK(x.stride == x.cols && out.stride == out.cols, "rows with gaps");
  AFTUNE_CHECK(mask.share >= 0 && mask.share < 1, "share outside [0, 1)");
  const std::size_t count = x.rows * x.cols;
  AFTUNE_CHECK(count < kLimit, "too many elements for the counter");
  const auto cut = static_cast<std::uint32_t>(mask.share * 0x1p32);
  const auto scale = static_cast<float>(1 / (1 - mask.share));
  const std::size_t calls = (count + kWords - 1) / kWords;
  engine.pool().parallel_ranges(calls, kGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t call = begin; call < end; ++call) {
      const auto words = philox4x32(
          {static_cast<std::uint32_t>(call), mask.micro_batch, mask.place, mask.step}, mask.key);
      const std::size_t first = call * kWords;
      for (std::size_t i = first; i < std::min(first + kWords, count); ++i) {
        out.data[i] = words[i - first] < cut ? 0.0F : x.data[i] * scale;
      }
    }
  });
}

}  // namespace aftune::numerics
