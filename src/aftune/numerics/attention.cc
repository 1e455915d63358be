// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/attention.h"

#include <algorithm>
#include <atomic>

#include "aftune/numerics/internal/attention_rows.h"
#include "aftune/numerics/internal/scratch.h"
#include "aftune/tensor/tensor.h"

namespace aftune::numerics {
namespace {

// Query rows computed at a time: bounds the scores that are held, and skips masked ones. Changes
// no bit.
constexpr std::size_t kQueryRows = 128;

thread_local Scratch score_scratch, sum_scratch;

/// The values of every key and key/value head, quantised once for all heads that share them.
struct Values {
  Tensor integers;  // as v
  Tensor powers;    // [kv_heads, rows]
};

bool quantise_all(const Engine& engine, const AttentionShape& shape, const HeadLayout& layout,
                  std::size_t rows, const float* v, Values& values) {
  constexpr std::size_t kGrain = 64;
  values.integers = Tensor::unwritten(Dtype::kF32, {rows, layout.key.width});
  values.powers = Tensor::unwritten(Dtype::kF32, {shape.kv_heads, rows});
  std::atomic<bool> finite{true};
  engine.pool().parallel_ranges(rows, kGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t head = 0; head < shape.kv_heads; ++head) {
      if (!quantise_values(engine.kernels(), layout.key.rows(v, begin, end, head),
                           layout.key.rows(values.integers.data(), begin, end, head),
                           values.powers.data() + head * rows + begin)) {
        finite = false;
      }
    }
  });
  return finite;
}

/// Some of one head's query rows against the keys that they see.
bool attend(const KernelSet& kernels, float scale, ConstMatrix q, const Sight& sight, ConstMatrix k,
            ConstMatrix integers, const float* powers, Matrix o) {
  float* p = score_scratch.floats(q.rows * k.rows);
  float* sums = sum_scratch.floats(q.rows);
  return softmax_rows(kernels, q, k, sight, scale, p, sums) &&
         weigh_values(kernels, p, sums, integers, powers, o);
}

}  // namespace

Status attention(const Engine& engine, const AttentionShape& shape, const float* q, const float* k,
                 const float* v, float* o) {
  const HeadLayout layout(shape);
  const std::size_t rows = shape.batch * shape.sequence;
  Values values;
  std::atomic<bool> finite{quantise_all(engine, shape, layout, rows, v, values)};
  engine.pool().parallel_for(shape.batch * shape.heads, [&](std::size_t index) {
    const std::size_t head = index % shape.heads;
    const std::size_t kv_head = head / layout.group;
    const std::size_t start = index / shape.heads * shape.sequence;
    for (std::size_t i = 0; i < shape.sequence && finite; i += kQueryRows) {
      const std::size_t end = std::min(i + kQueryRows, shape.sequence);
      const Sight sight{shape.mask, i, shape.sequence};
      const std::size_t keys_end = start + sight.keys(end - i);
      if (!attend(engine.kernels(), shape.scale, layout.query.rows(q, start + i, start + end, head),
                  sight, layout.key.rows(k, start, keys_end, kv_head),
                  layout.key.rows(values.integers.data(), start, keys_end, kv_head),
                  values.powers.data() + kv_head * rows + start,
                  layout.query.rows(o, start + i, start + end, head))) {
        finite = false;
      }
    }
  });
  if (!finite) return attention_error("attention", shape);
  return ok();
}

}  // namespace aftune::numerics
