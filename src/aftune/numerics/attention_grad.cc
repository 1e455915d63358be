// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>

#include "aftune/numerics/attention.h"
#include "aftune/numerics/internal/attention_rows.h"
#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/internal/multiply.h"
#include "aftune/numerics/internal/scratch.h"
#include "aftune/tensor/tensor.h"

namespace aftune::numerics {
namespace {

thread_local Scratch probability_scratch, gradient_scratch, sum_scratch;

/// One head of one sequence. dk and dv start at +0 and are the sum over queries so far.
struct Head {
  ConstMatrix q, k, v, o, d_o;
  Matrix dq, dk, dv;
};

ConstMatrix part(ConstMatrix m, std::size_t begin, std::size_t end) {
  return {m.data + begin * m.stride, end - begin, m.cols, m.stride};
}

Matrix part(Matrix m, std::size_t begin, std::size_t end) {
  return {m.data + begin * m.stride, end - begin, m.cols, m.stride};
}

void clear(Matrix m) {
  for (std::size_t i = 0; i < m.rows; ++i) std::fill_n(m.data + i * m.stride, m.cols, 0.0F);
}

/// Turns dP into G, row by row. p becomes P.
void score_gradients(const ElementwiseKernels& kernels, const Head& head, const Sight& sight,
                     float scale, const float* sums, Matrix p, Matrix g) {
  for (std::size_t i = 0; i < p.rows; ++i) {
    const std::size_t visible = sight.visible(i);
    const std::size_t row = sight.first + i;
    float* p_row = p.data + i * p.stride;
    float* g_row = g.data + i * g.stride;
    kernels.divide_scale(sums[i], 1.0F, visible, p_row);
    const float d = kernels.dot_lanes(head.d_o.data + row * head.d_o.stride,
                                      head.o.data + row * head.o.stride, head.o.cols);
    for (std::size_t j = 0; j < visible; ++j) g_row[j] = p_row[j] * (g_row[j] - d) * scale;
    std::fill(g_row + visible, g_row + g.cols, 0.0F);
  }
}

/// Queries [begin, end), one block of the sums over queries, against the keys that one of them
/// sees. `begin` is a multiple of kBlock, so that keys, too, come in whole blocks or end with the
/// sequence.
bool backward_block(const KernelSet& kernels, const Head& head, Mask mask, std::size_t begin,
                    std::size_t end, float scale) {
  const Sight sight{mask, begin, head.k.rows};
  const std::size_t count = end - begin;
  const std::size_t keys = sight.keys(count);
  Matrix p(probability_scratch.floats(count * keys), count, keys);
  Matrix g(gradient_scratch.floats(count * keys), count, keys);
  float* sums = sum_scratch.floats(count);
  const ConstMatrix q = part(head.q, begin, end);
  const ConstMatrix d_o = part(head.d_o, begin, end);
  const ConstMatrix k = part(head.k, 0, keys);
  const auto product = [&](const Operand& a, const Operand& b, Matrix c, Accumulate accumulate) {
    return multiply(kernels.product, nullptr, a, b, c, accumulate).has_value();
  };
  if (!softmax_rows(kernels, q, k, sight, scale, p.data, sums)) return false;
  if (!product(Operand::rows_of(d_o), Operand::rows_of(part(head.v, 0, keys)), g,
               Accumulate::kUnchecked)) {
    return false;
  }
  score_gradients(kernels.elementwise, head, sight, scale, sums, p, g);
  return product(Operand::rows_of(g), Operand::columns_of(k), part(head.dq, begin, end),
                 Accumulate::kWrite) &&
         product(Operand::columns_of(g), Operand::columns_of(q), part(head.dk, 0, keys),
                 Accumulate::kContinue) &&
         product(Operand::columns_of(p), Operand::columns_of(d_o), part(head.dv, 0, keys),
                 Accumulate::kContinue);
}

/// out = the heads of each group, added ascending from the first. False if a sum is not finite.
bool add_groups(const Engine& engine, const AttentionShape& shape, const HeadLayout& layout,
                const Tensor& by_head, float* out) {
  constexpr std::size_t kGrain = 64;
  const ElementwiseKernels& kernels = engine.kernels().elementwise;
  std::atomic<bool> finite{true};
  const std::size_t rows = shape.batch * shape.sequence;
  engine.pool().parallel_ranges(rows, kGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t head = 0; head < shape.heads; ++head) {
        const float* in = by_head.data() + layout.query.at(row, head);
        float* sum = out + layout.key.at(row, head / layout.group);
        if (head % layout.group == 0) {
          std::copy_n(in, shape.head_dim, sum);
        } else {
          kernels.add(sum, in, shape.head_dim, sum);
        }
      }
      if (kernels.largest_magnitude(out + row * layout.key.width, layout.key.width) >=
          kInfiniteMagnitude) {
        finite = false;
      }
    }
  });
  return finite;
}

}  // namespace

Status attention_grad(const Engine& engine, const AttentionShape& shape, const float* q,
                      const float* k, const float* v, const float* o, const float* d_o, float* dq,
                      float* dk, float* dv) {
  const HeadLayout layout(shape);
  const std::size_t length = shape.sequence;
  const std::size_t width = layout.query.width;
  // dk and dv of each query head on its own.
  Tensor dk_heads = Tensor::unwritten(Dtype::kF32, {shape.batch * length, width});
  Tensor dv_heads = Tensor::unwritten(Dtype::kF32, {shape.batch * length, width});
  std::atomic<bool> finite{true};
  engine.pool().parallel_for(shape.batch * shape.heads, [&](std::size_t index) {
    const std::size_t h = index % shape.heads;
    const std::size_t begin = index / shape.heads * length;
    const std::size_t end = begin + length;
    const Head head{layout.query.rows(q, begin, end, h),
                    layout.key.rows(k, begin, end, h / layout.group),
                    layout.key.rows(v, begin, end, h / layout.group),
                    layout.query.rows(o, begin, end, h),
                    layout.query.rows(d_o, begin, end, h),
                    layout.query.rows(dq, begin, end, h),
                    layout.query.rows(dk_heads.data(), begin, end, h),
                    layout.query.rows(dv_heads.data(), begin, end, h)};
    clear(head.dk);
    clear(head.dv);
    for (std::size_t i = 0; i < length && finite; i += kBlock) {
      if (!backward_block(engine.kernels(), head, shape.mask, i, std::min(i + kBlock, length),
                          shape.scale)) {
        finite = false;
      }
    }
  });
  if (!finite || !add_groups(engine, shape, layout, dk_heads, dk) ||
      !add_groups(engine, shape, layout, dv_heads, dv)) {
    return attention_error("attention_grad", shape);
  }
  return ok();
}

}  // namespace aftune::numerics
