// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/internal/attention_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "aftune/base/check.h"
#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/internal/multiply.h"

namespace aftune::numerics {
namespace {

float power_of_two(int exponent) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(127 + exponent) << 23);
}

/// Half to even, for |x| < 2^22: adding 1.5 * 2^23 leaves no place for a fraction.
float round_to_integer(float x) {
  constexpr float kShift = 0x1.8p23F;
  return (x + kShift) - kShift;
}

}  // namespace

HeadLayout::HeadLayout(const AttentionShape& shape)
    : group(shape.kv_heads == 0 ? 0 : shape.heads / shape.kv_heads),
      query{shape.heads * shape.head_dim, shape.head_dim},
      key{shape.kv_heads * shape.head_dim, shape.head_dim} {
  AFTUNE_CHECK(group > 0 && group * shape.kv_heads == shape.heads,
               "query heads are not a multiple of key/value heads");
  AFTUNE_CHECK(shape.head_dim > 0, "an attention head is empty");
  AFTUNE_CHECK(shape.scale > 0 && std::isfinite(shape.scale), "attention's scale is not positive");
}

Error attention_error(const char* operation, const AttentionShape& shape) {
  return {Code::kNonFinite, std::string(operation) + " of " + std::to_string(shape.heads) +
                                " heads of width " + std::to_string(shape.head_dim) +
                                ": a value is not finite or reaches 2^70"};
}

bool softmax_rows(const KernelSet& kernels, ConstMatrix q, ConstMatrix k, const Sight& sight,
                  float scale, float* p, float* sums) {
  const std::size_t keys = k.rows;
  if (!multiply(kernels.product, nullptr, Operand::rows_of(q), Operand::rows_of(k),
                Matrix(p, q.rows, keys), Accumulate::kUnchecked)) {
    return false;
  }
  for (std::size_t i = 0; i < q.rows; ++i) {
    float* row = p + i * keys;
    const std::size_t visible = sight.visible(i);
    for (std::size_t j = 0; j < visible; ++j) row[j] *= scale;
    if (kernels.elementwise.largest_magnitude(row, visible) >= kInfiniteMagnitude) return false;
    const float largest = kernels.elementwise.row_max(row, visible);
    kernels.elementwise.exp_row(row, largest, visible, row);
    std::fill(row + visible, row + keys, 0.0F);
    sums[i] = kernels.elementwise.lane_sum(row, visible);
  }
  return true;
}

bool quantise_values(const KernelSet& kernels, ConstMatrix v, Matrix integers, float* powers) {
  for (std::size_t j = 0; j < v.rows; ++j) {
    const float* in = v.data + j * v.stride;
    float* out = integers.data + j * integers.stride;
    const std::uint32_t size = kernels.elementwise.largest_magnitude(in, v.cols);
    if (size >= kSizeBound) return false;
    const int exponent = std::max(-66, static_cast<int>((size + 0x10100) >> 23) - 141);
    const float inverse = power_of_two(-exponent);
    for (std::size_t c = 0; c < v.cols; ++c) out[c] = round_to_integer(in[c] * inverse);
    powers[j] = power_of_two(exponent);
  }
  return true;
}

bool weigh_values(const KernelSet& kernels, float* p, const float* sums, ConstMatrix integers,
                  const float* powers, Matrix o) {
  const std::size_t keys = integers.rows;
  for (std::size_t i = 0; i < o.rows; ++i) {
    float* row = p + i * keys;
    for (std::size_t j = 0; j < keys; ++j) row[j] *= powers[j];
  }
  Operand values = Operand::columns_of(integers);
  values.exponents = Exponents::kZero;
  if (!multiply(kernels.product, nullptr, Operand::rows_of(ConstMatrix(p, o.rows, keys)), values, o,
                Accumulate::kWrite)) {
    return false;
  }
  for (std::size_t i = 0; i < o.rows; ++i) {
    kernels.elementwise.divide_scale(sums[i], 1.0F, o.cols, o.data + i * o.stride);
  }
  return true;
}

}  // namespace aftune::numerics
