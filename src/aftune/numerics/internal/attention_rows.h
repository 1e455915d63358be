// SPDX-License-Identifier: Apache-2.0
// The parts of attention that forward and backward share. One head of one sequence.
#pragma once

#include <cstddef>
#include <cstdint>

#include "aftune/base/result.h"
#include "aftune/numerics/attention.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/matrix.h"

namespace aftune::numerics {

/// Columns of `head` in rows [begin, end) of a matrix of heads.
struct HeadView {
  std::size_t width;  // columns of all heads
  std::size_t head_dim;

  [[nodiscard]] std::size_t at(std::size_t row, std::size_t head) const {
    return row * width + head * head_dim;
  }
  [[nodiscard]] ConstMatrix rows(const float* data, std::size_t begin, std::size_t end,
                                 std::size_t head) const {
    return {data + at(begin, head), end - begin, head_dim, width};
  }
  [[nodiscard]] Matrix rows(float* data, std::size_t begin, std::size_t end,
                            std::size_t head) const {
    return {data + at(begin, head), end - begin, head_dim, width};
  }
};

/// What an attention operation knows about its heads. Aborts on a shape that cannot be.
struct HeadLayout {
  explicit HeadLayout(const AttentionShape& shape);

  std::size_t group;  // query heads that share a key/value head
  HeadView query, key;
};

/// The error of every operation of attention.
Error attention_error(const char* operation, const AttentionShape& shape);

/// What query rows at positions first, first + 1, ... see of a sequence.
struct Sight {
  Mask mask;
  std::size_t first, sequence;

  /// Row i sees keys 0 .. visible(i) - 1.
  [[nodiscard]] std::size_t visible(std::size_t i) const {
    return mask == Mask::kCausal ? first + i + 1 : sequence;
  }
  /// How many keys `rows` rows need.
  [[nodiscard]] std::size_t keys(std::size_t rows) const { return visible(rows - 1); }
};

/// p(i, j) = exp(scale S(i, j) - m(i)) and its sums, for query rows that see `sight` and keys
/// 0 .. k.rows - 1: +0 where j is masked. `p` is q.rows x k.rows, dense. False if a visible score
/// is not finite. Requires: k.rows is sight.keys(q.rows).
bool softmax_rows(const KernelSet& kernels, ConstMatrix q, ConstMatrix k, const Sight& sight,
                  float scale, float* p, float* sums);

/// The integers and powers of two of x16pv: integers(j, c) = rint(v(j, c) 2^-e(j)) and powers[j] =
/// 2^e(j). False if a value has no exponent.
bool quantise_values(const KernelSet& kernels, ConstMatrix v, Matrix integers, float* powers);

/// o = x16pv(p, v) / sums. Overwrites p. False if a result is not finite.
bool weigh_values(const KernelSet& kernels, float* p, const float* sums, ConstMatrix integers,
                  const float* powers, Matrix o);

}  // namespace aftune::numerics
