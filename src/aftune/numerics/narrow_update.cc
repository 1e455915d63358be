// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/narrow_update.h"

#include <algorithm>
#include <bit>

#include "aftune/base/check.h"
#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/update_ranges.h"
#include "aftune/numerics/philox.h"

namespace aftune::numerics {
namespace {

constexpr std::size_t kChunk = 2048;  // elements that are wide at a time; a multiple of kPerCall
constexpr std::size_t kPerCall = 8;   // words of 16 bits of one call of the generator
constexpr std::uint32_t kMagnitude = 0x7FFFFFFFU;

using Wide = std::array<float, kChunk>;

void widen_to(std::span<const std::uint16_t> narrow, Wide& out) {
  for (std::size_t i = 0; i < narrow.size(); ++i) {
    out[i] = std::bit_cast<float>(std::uint32_t{narrow[i]} << 16);
  }
}

// Both return the largest magnitude that came out, as fp32 bits.

std::uint32_t round_to_nearest(const Wide& values, std::span<std::uint16_t> out) {
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(values[i]);
    const std::uint32_t rounded = bits + 0x7FFFU + (bits >> 16 & 1U);
    out[i] = static_cast<std::uint16_t>(rounded >> 16);
    largest = std::max(largest, rounded & kMagnitude & ~0xFFFFU);
  }
  return largest;
}

/// `first`: the number of the first element in its tensor, a multiple of kPerCall.
std::uint32_t round_by_counter(const Wide& values, const MomentRounding& rounding,
                               std::uint64_t first, std::span<std::uint16_t> out) {
  std::uint32_t largest = 0;
  for (std::size_t begin = 0; begin < out.size(); begin += kPerCall) {
    const std::uint64_t call = (first + begin) / kPerCall;
    const auto words =
        philox4x32({static_cast<std::uint32_t>(call), static_cast<std::uint32_t>(call >> 32),
                    rounding.place, rounding.step},
                   rounding.key);
    const std::size_t end = std::min(begin + kPerCall, out.size());
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t half = i - begin;
      const std::uint32_t word = words[half / 2] >> (half % 2 * 16) & 0xFFFFU;
      const std::uint32_t rounded = std::bit_cast<std::uint32_t>(values[i]) + word;
      out[i] = static_cast<std::uint16_t>(rounded >> 16);
      largest = std::max(largest, rounded & kMagnitude & ~0xFFFFU);
    }
  }
  return largest;
}

/// Calls body(first element, number) for chunks of a range; returns the largest of what it returns.
template <typename Body>
std::uint32_t each_chunk(std::size_t begin, std::size_t count, const Body& body) {
  std::uint32_t largest = 0;
  for (std::size_t done = 0; done < count; done += kChunk) {
    largest = std::max(largest, body(begin + done, std::min(kChunk, count - done)));
  }
  return largest;
}

}  // namespace

Status adamw_bf16(const Engine& engine, const AdamWScalars& scalars, const MomentRounding& rounding,
                  std::span<const float> gradient, std::span<float> parameter,
                  std::span<std::uint16_t> m, std::span<std::uint16_t> v) {
  AFTUNE_CHECK(gradient.size() == parameter.size() && m.size() == parameter.size() &&
                   v.size() == parameter.size(),
               "operands differ in length");
  return update_ranges(engine, parameter.size(), [&](std::size_t begin, std::size_t count) {
    Wide wide_m, wide_v;
    return each_chunk(begin, count, [&](std::size_t first, std::size_t size) {
      const auto some_m = m.subspan(first, size), some_v = v.subspan(first, size);
      widen_to(some_m, wide_m);
      widen_to(some_v, wide_v);
      const std::uint32_t largest = engine.kernels().elementwise.adamw(
          scalars, &gradient[first], size, &parameter[first], wide_m.data(), wide_v.data());
      const std::uint32_t of_m = round_to_nearest(wide_m, some_m);
      return std::max({largest, of_m, round_by_counter(wide_v, rounding, first, some_v)});
    });
  });
}

Status sgd_bf16(const Engine& engine, const SgdScalars& scalars, std::span<const float> gradient,
                std::span<float> parameter, std::span<std::uint16_t> buffer) {
  AFTUNE_CHECK(gradient.size() == parameter.size() && buffer.size() == parameter.size(),
               "operands differ in length");
  AFTUNE_CHECK(scalars.momentum != 0, "a buffer that nothing looks at");
  return update_ranges(engine, parameter.size(), [&](std::size_t begin, std::size_t count) {
    Wide wide;
    return each_chunk(begin, count, [&](std::size_t first, std::size_t size) {
      const auto some = buffer.subspan(first, size);
      widen_to(some, wide);
      const std::uint32_t largest = engine.kernels().elementwise.sgd(
          scalars, &gradient[first], size, &parameter[first], wide.data());
      return std::max(largest, round_to_nearest(wide, some));
    });
  });
}

}  // namespace aftune::numerics
