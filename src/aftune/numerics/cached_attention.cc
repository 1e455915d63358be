// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/cached_attention.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/numerics/internal/attention_rows.h"
#include "aftune/numerics/internal/cached_head.h"
#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/internal/quantised_block.h"
#include "aftune/numerics/internal/scratch.h"

namespace aftune::numerics {
namespace {

thread_local Scratch score_scratch, row_scratch;

std::size_t parts(std::size_t count, std::size_t size) { return (count + size - 1) / size; }

/// A few queries of one head at neighbouring positions.
class FewQueries {
 public:
  FewQueries(const KernelSet& kernels, const CachedHead& head, std::size_t first, ConstMatrix q)
      : kernels_(kernels),
        head_(head),
        first_(first),
        keys_(first + q.rows),
        stride_(parts(keys_, kPanelRows) * kPanelRows),
        q_(q),
        scores_(score_scratch.floats(q.rows * stride_)) {}

  /// Scores of every key that one of the queries sees. False if a value of q has no exponent.
  bool score() {
    const std::size_t blocks = parts(q_.cols, kBlock);
    RowBlock* rows = row_blocks(blocks);
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::size_t depth = std::min(kBlock, q_.cols - block * kBlock);
      if (!quantise(q_.data + block * kBlock, q_.stride, depth, rows + block * q_.rows)) {
        return false;
      }
    }
    float tile[kFewRows * kPanelRows];
    for (std::size_t key = 0; key < keys_; key += kPanelRows) {
      std::fill_n(tile, q_.rows * kPanelRows, 0.0F);
      for (std::size_t block = 0; block < blocks; ++block) {
        kernels_.packed.multiply(rows + block * q_.rows, q_.rows, head_.keys(key, block),
                                 std::min(kBlock, q_.cols - block * kBlock), tile);
      }
      for (std::size_t i = 0; i < q_.rows; ++i) {
        std::copy_n(tile + i * kPanelRows, kPanelRows, scores_ + i * stride_ + key);
      }
    }
    return true;
  }

  /// Turns scores into w = p 2^e, +0 where a query does not see the key. False if a visible score
  /// is not finite.
  bool weigh(float scale) {
    const ElementwiseKernels& kernels = kernels_.elementwise;
    for (std::size_t i = 0; i < q_.rows; ++i) {
      float* row = scores_ + i * stride_;
      const std::size_t visible = first_ + i + 1;
      for (std::size_t j = 0; j < visible; ++j) row[j] *= scale;
      if (kernels.largest_magnitude(row, visible) >= kInfiniteMagnitude) return false;
      kernels.exp_row(row, kernels.row_max(row, visible), visible, row);
      sums_[i] = kernels.lane_sum(row, visible);
      std::fill(row + visible, row + stride_, 0.0F);
      for (std::size_t j = 0; j < visible; ++j) row[j] *= head_.powers(j)[j % kBlock];
    }
    return true;
  }

  /// o = x16pv / sums. False if a result is not finite.
  bool sum_values(Matrix o) {
    const std::size_t blocks = parts(keys_, kBlock);
    RowBlock* rows = row_blocks(blocks);
    for (std::size_t block = 0; block < blocks; ++block) {
      if (!quantise(scores_ + block * kBlock, stride_, std::min(kBlock, keys_ - block * kBlock),
                    rows + block * q_.rows)) {
        return false;
      }
    }
    bool finite = true;
    for (std::size_t column = 0; column < o.cols; column += kPanelRows) {
      float tile[kFewRows * kPanelRows] = {};
      for (std::size_t block = 0; block < blocks; ++block) {
        kernels_.packed.multiply(rows + block * q_.rows, q_.rows,
                                 head_.values(block * kBlock, column / kPanelRows),
                                 std::min(kBlock, keys_ - block * kBlock), tile);
      }
      const std::size_t columns = std::min(kPanelRows, o.cols - column);
      for (std::size_t i = 0; i < o.rows; ++i) {
        const float* c = tile + i * kPanelRows;
        finite = kernels_.elementwise.largest_magnitude(c, columns) < kInfiniteMagnitude && finite;
        std::copy_n(c, columns, o.data + i * o.stride + column);
      }
    }
    for (std::size_t i = 0; i < o.rows; ++i) {
      kernels_.elementwise.divide_scale(sums_[i], 1.0F, o.cols, o.data + i * o.stride);
    }
    return finite;
  }

 private:
  [[nodiscard]] RowBlock* row_blocks(std::size_t blocks) const {
    return reinterpret_cast<RowBlock*>(row_scratch.at_least(blocks * q_.rows * sizeof(RowBlock)));
  }

  bool quantise(const float* in, std::size_t stride, std::size_t depth, RowBlock* out) const {
    QuantisedBlock quantised;
    for (std::size_t i = 0; i < q_.rows; ++i) {
      if (!quantised.set(kernels_.elementwise, in + i * stride, depth)) return false;
      put_row(quantised, out[i]);
    }
    return true;
  }

  const KernelSet& kernels_;
  const CachedHead& head_;
  std::size_t first_, keys_, stride_;
  ConstMatrix q_;
  float* scores_;
  float sums_[kFewRows] = {};
};

struct Task {
  const CachedQueries* sequence;
  std::size_t head, begin, end;  // rows of the sequence's queries
};

std::vector<Task> split(const AttentionShape& shape, const HeadLayout& layout,
                        std::span<const CachedQueries> sequences) {
  AFTUNE_CHECK(shape.mask == Mask::kCausal, "a cache holds no later keys");
  std::vector<Task> tasks;
  for (const CachedQueries& sequence : sequences) {
    AFTUNE_CHECK(sequence.q.cols == layout.query.width && sequence.o.cols == sequence.q.cols &&
                     sequence.q.rows == sequence.o.rows,
                 "queries of another shape");
    AFTUNE_CHECK(sequence.cache->size() >= sequence.q.rows, "a query has no key");
    for (std::size_t head = 0; head < shape.heads; ++head) {
      for (std::size_t row = 0; row < sequence.q.rows; row += kFewRows) {
        tasks.push_back({&sequence, head, row, std::min(row + kFewRows, sequence.q.rows)});
      }
    }
  }
  return tasks;
}

}  // namespace

Status attention_cached(const Engine& engine, const AttentionShape& shape,
                        std::span<const CachedQueries> sequences) {
  const HeadLayout layout(shape);
  const std::vector<Task> tasks = split(shape, layout, sequences);
  std::atomic<bool> finite{true};
  engine.pool().parallel_for(tasks.size(), [&](std::size_t index) {
    const Task& task = tasks[index];
    const auto& [cache, q, o] = *task.sequence;
    const CachedHead head(*cache, task.head / layout.group);
    const std::size_t rows = task.end - task.begin;
    const std::size_t column = task.head * shape.head_dim;
    FewQueries queries(
        engine.kernels(), head, cache->size() - q.rows + task.begin,
        ConstMatrix(q.data + task.begin * q.stride + column, rows, shape.head_dim, q.stride));
    if (!queries.score() || !queries.weigh(shape.scale) ||
        !queries.sum_values(
            Matrix(o.data + task.begin * o.stride + column, rows, shape.head_dim, o.stride))) {
      finite = false;
    }
  });
  if (!finite) return attention_error("attention_cached", shape);
  return ok();
}

}  // namespace aftune::numerics
