// SPDX-License-Identifier: Apache-2.0
// The self-test of products with packed matrices: every count of rows, odd and even depths, extreme
// integers and scales, against the scalar kernel.
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/quantised_block.h"

namespace aftune::numerics {
namespace {

constexpr int kLargest = 32639;

/// Integers of all sizes, each extreme among them, and a scale. xorshift.
QuantisedBlock painted_block(std::size_t depth, std::uint32_t& state) {
  constexpr std::int16_t kExtremes[] = {kLargest, -kLargest, 128, -128, 127, -129};
  QuantisedBlock block{};
  for (std::size_t k = 0; k < depth; ++k) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    const auto value = static_cast<int>(state % (2 * kLargest + 1)) - kLargest;
    block.q[k] = state % 11 == 0 ? kExtremes[state / 11 % 6]
                                 : static_cast<std::int16_t>(value >> state / 64 % 16);
  }
  block.scale = std::bit_cast<float>((90 + state % 60) << 23);
  return block;
}

Status compare(const PackedKernels& kernels, std::size_t count, std::size_t depth) {
  std::uint32_t state = static_cast<std::uint32_t>(1 + count + 8 * depth);
  std::vector<RowBlock> rows(count);
  PanelBlock panel{};
  for (RowBlock& row : rows) put_row(painted_block(depth, state), row);
  for (std::size_t lane = 0; lane < kPanelRows; ++lane) {
    put_lane(painted_block(depth, state), depth, lane, panel);
  }
  std::vector<float> expected(count * kPanelRows, 1.0F);
  std::vector<float> got = expected;
  kScalarPackedKernels.multiply(rows.data(), count, panel, depth, expected.data());
  kernels.multiply(rows.data(), count, panel, depth, got.data());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(got[i]) == std::bit_cast<std::uint32_t>(expected[i])) continue;
    return Error{Code::kUnsupported, "kernel packed x16 of " + std::string(kernels.name) + ", " +
                                         std::to_string(count) + " rows over " +
                                         std::to_string(depth) + ", has bits " +
                                         std::to_string(std::bit_cast<std::uint32_t>(got[i])) +
                                         " at index " + std::to_string(i) + ", the reference " +
                                         std::to_string(std::bit_cast<std::uint32_t>(expected[i]))};
  }
  return ok();
}

}  // namespace

Status self_test(const PackedKernels& kernels) {
  for (std::size_t count = 1; count <= kFewRows; ++count) {
    for (const std::size_t depth : {1U, 2U, 7U, 8U, 67U, 256U}) {
      AFTUNE_TRY(compare(kernels, count, depth));
    }
  }
  return ok();
}

}  // namespace aftune::numerics
