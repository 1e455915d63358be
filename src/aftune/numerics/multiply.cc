// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/internal/multiply.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>

#include "aftune/base/check.h"
#include "aftune/numerics/internal/scratch.h"

namespace aftune::numerics {
namespace {

// Sizes that change speed and memory only, never a bit.
constexpr std::size_t kGroupPanels = 4;        // panels of A that share a pass over B, at most,
constexpr std::size_t kGroupRows = 128;        // and their rows
constexpr std::size_t kChunkBlocks = 8;        // blocks packed at a time
constexpr std::size_t kPackedBytes = 4 << 20;  // of B at a time
constexpr std::size_t kStrip = 1024;           // rows and columns of a temporary sum
constexpr std::size_t kTasksPerThread = 8;
// Each of a group's tasks quantises its rows again, which costs most where products cost least.
constexpr std::size_t kLargeTasksPerThread = 2;
constexpr std::size_t kLargeGroup = 64;  // rows

std::size_t parts(std::size_t count, std::size_t size) { return (count + size - 1) / size; }

struct Range {
  std::size_t begin, end;
  [[nodiscard]] std::size_t size() const { return end - begin; }
};

// Kept for the life of each thread.
thread_local Scratch packed_a_scratch, packed_b_scratch, staging_scratch, tile_scratch, sum_scratch;

/// What a thread holds while it calls tile().
class TileUse {
 public:
  explicit TileUse(const ProductKernels& kernels) : kernels_(kernels) {
    if (kernels_.begin != nullptr) kernels_.begin();
  }
  ~TileUse() {
    if (kernels_.end != nullptr) kernels_.end();
  }
  TileUse(const TileUse&) = delete;
  TileUse& operator=(const TileUse&) = delete;

 private:
  const ProductKernels& kernels_;
};

class Multiplication {
 public:
  Multiplication(const ProductKernels& kernels, ThreadPool* pool, const Operand& a,
                 const Operand& b, Matrix c, Accumulate accumulate)
      : kernels_(kernels), pool_(pool), a_(a), b_(b), c_(c), accumulate_(accumulate) {}

  /// False if a value was not finite.
  bool run() {
    const std::size_t blocks = std::max<std::size_t>(parts(a_.depth, kBlock), 1);
    for (std::size_t block = 0; block < blocks && finite_; block += kChunkBlocks) {
      run_chunk({block, std::min(block + kChunkBlocks, blocks)});
    }
    return finite_;
  }

 private:
  void for_each(std::size_t count, const std::function<void(std::size_t)>& body) {
    if (pool_ != nullptr) return pool_->parallel_for(count, body);
    for (std::size_t i = 0; i < count; ++i) body(i);
  }

  [[nodiscard]] std::size_t depth_of(std::size_t block) const {
    return std::min(kBlock, a_.depth - block * kBlock);
  }

  /// Quantises rows of A: panel after panel, each one's blocks side by side.
  void pack_a(Range rows, Range blocks, std::byte* out) {
    const Operand& x = a_;
    for (std::size_t block = blocks.begin; block < blocks.end; ++block) {
      const std::size_t depth = depth_of(block);
      const float* in = x.data + rows.begin * x.stride + block * kBlock;
      std::size_t stride = x.stride;
      if (x.transposed) {
        float* staged = staging_scratch.floats(parts(rows.size(), 16) * 16 * kBlock);
        kernels_.transpose(x.data + block * kBlock * x.stride + rows.begin, x.stride, rows.size(),
                           depth, staged);
        in = staged;
        stride = kBlock;
      }
      for (std::size_t first = 0; first < rows.size(); first += kernels_.a_rows) {
        const std::size_t panel = first / kernels_.a_rows * blocks.size() + block - blocks.begin;
        if (!kernels_.pack_a(in + first * stride, stride,
                             std::min(kernels_.a_rows, rows.size() - first), depth, x.exponents,
                             out + panel * kernels_.a_panel_bytes)) {
          finite_ = false;
          return;
        }
      }
    }
  }

  /// Quantises at most a panel of rows of B, its blocks side by side.
  void pack_b(Range rows, Range blocks, std::byte* out) {
    const auto pack = b_.transposed ? kernels_.pack_b_columns : kernels_.pack_b;
    const std::size_t row_step = b_.transposed ? 1 : b_.stride;
    const std::size_t column_step = b_.transposed ? b_.stride : 1;
    for (std::size_t block = blocks.begin; block < blocks.end; ++block) {
      const float* in = b_.data + rows.begin * row_step + block * kBlock * column_step;
      if (!pack(in, b_.stride, rows.size(), depth_of(block), b_.exponents, out)) {
        finite_ = false;
        return;
      }
      out += kernels_.b_panel_bytes;
    }
  }

  void run_chunk(Range blocks) {
    if (a_.depth == 0) blocks = {0, 0};
    const std::size_t row_panels = parts(b_.rows, kernels_.b_rows);
    const std::size_t panel_bytes =
        std::max<std::size_t>(blocks.size(), 1) * kernels_.b_panel_bytes;
    const std::size_t panels = std::clamp<std::size_t>(kPackedBytes / panel_bytes, 1, row_panels);
    std::byte* packed_b = packed_b_scratch.at_least(panels * panel_bytes);
    for (std::size_t first = 0; first < row_panels && finite_; first += panels) {
      const Range here{first, std::min(first + panels, row_panels)};
      for_each(here.size(), [&](std::size_t i) {
        const std::size_t row = (first + i) * kernels_.b_rows;
        pack_b({row, std::min(row + kernels_.b_rows, b_.rows)}, blocks, packed_b + i * panel_bytes);
      });
      if (finite_) multiply_panels(here, blocks, packed_b);
    }
  }

  void multiply_panels(Range panels, Range blocks, const std::byte* packed_b) {
    const std::size_t group_panels =
        std::clamp<std::size_t>(kGroupRows / kernels_.a_rows, 1, kGroupPanels);
    const std::size_t group_rows = group_panels * kernels_.a_rows;
    const std::size_t groups = parts(a_.rows, group_rows);
    const std::size_t threads = pool_ == nullptr ? 1 : pool_->thread_count();
    const std::size_t tasks =
        threads * (group_rows > kLargeGroup ? kLargeTasksPerThread : kTasksPerThread);
    const std::size_t wanted = threads == 1 ? 1 : parts(tasks, groups);
    const std::size_t each = parts(panels.size(), std::min(wanted, panels.size()));
    const std::size_t splits = parts(panels.size(), each);
    for_each(groups * splits, [&](std::size_t task) {
      const std::size_t row = task / splits * group_rows;
      const std::size_t first = panels.begin + task % splits * each;
      multiply_group({row, std::min(row + group_rows, a_.rows)},
                     {first, std::min(first + each, panels.end)}, blocks,
                     packed_b + (first - panels.begin) * blocks.size() * kernels_.b_panel_bytes);
    });
  }

  void multiply_group(Range rows, Range panels, Range blocks, const std::byte* packed_b) {
    const std::size_t row_panels = parts(rows.size(), kernels_.a_rows);
    const std::size_t tile_size = kernels_.a_rows * kernels_.b_rows;
    std::byte* packed_a =
        packed_a_scratch.at_least(row_panels * blocks.size() * kernels_.a_panel_bytes);
    float* tiles = tile_scratch.floats(row_panels * tile_size);
    pack_a(rows, blocks, packed_a);
    const TileUse use(kernels_);
    for (std::size_t panel = panels.begin; panel < panels.end && finite_; ++panel) {
      const std::size_t column = panel * kernels_.b_rows;
      const Range columns{column, std::min(column + kernels_.b_rows, b_.rows)};
      for (std::size_t i = 0; i < row_panels; ++i) {
        start_tile(tile_rows(rows, i), columns, blocks, tiles + i * tile_size);
      }
      for (std::size_t block = 0; block < blocks.size(); ++block) {
        for (std::size_t i = 0; i < row_panels; ++i) {
          kernels_.tile(packed_a + (i * blocks.size() + block) * kernels_.a_panel_bytes, packed_b,
                        depth_of(blocks.begin + block), tiles + i * tile_size);
        }
        packed_b += kernels_.b_panel_bytes;
      }
      for (std::size_t i = 0; i < row_panels; ++i) {
        const Range here = tile_rows(rows, i);
        const bool stored_finite =
            kernels_.store(tiles + i * tile_size, here.size(), columns.size(),
                           accumulate_ == Accumulate::kAdd, at(here.begin, column), c_.stride);
        if (!stored_finite && accumulate_ != Accumulate::kUnchecked) {
          finite_ = false;
        }
      }
    }
  }

  [[nodiscard]] Range tile_rows(Range rows, std::size_t panel) const {
    const std::size_t begin = rows.begin + panel * kernels_.a_rows;
    return {begin, std::min(begin + kernels_.a_rows, rows.end)};
  }

  [[nodiscard]] float* at(std::size_t row, std::size_t column) const {
    return c_.data + row * c_.stride + column;
  }

  void start_tile(Range rows, Range columns, Range blocks, float* tile) const {
    std::fill_n(tile, kernels_.a_rows * kernels_.b_rows, 0.0F);
    if (blocks.begin == 0 && accumulate_ != Accumulate::kContinue) return;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::copy_n(at(rows.begin + i, columns.begin), columns.size(), tile + i * kernels_.b_rows);
    }
  }

  const ProductKernels& kernels_;
  ThreadPool* pool_;
  Operand a_, b_;
  Matrix c_;
  Accumulate accumulate_;
  std::atomic<bool> finite_{true};
};

Operand slice(const Operand& x, Range rows) {
  Operand part = x;
  part.data += rows.begin * (x.transposed ? 1 : x.stride);
  part.rows = rows.size();
  return part;
}

/// kAdd of a product whose blocks come in several chunks: the output cannot hold the sum before
/// it is whole.
bool add_by_strips(const ProductKernels& kernels, ThreadPool* pool, const Operand& a,
                   const Operand& b, Matrix c) {
  for (std::size_t row = 0; row < a.rows; row += kStrip) {
    const Range rows{row, std::min(row + kStrip, a.rows)};
    for (std::size_t column = 0; column < b.rows; column += kStrip) {
      const Range columns{column, std::min(column + kStrip, b.rows)};
      Matrix sum(sum_scratch.floats(rows.size() * columns.size()), rows.size(), columns.size());
      Multiplication product(kernels, pool, slice(a, rows), slice(b, columns), sum,
                             Accumulate::kWrite);
      if (!product.run()) return false;
      for (std::size_t i = 0; i < sum.rows; ++i) {
        for (std::size_t j = 0; j < sum.cols; ++j) {
          float& out = c.data[(row + i) * c.stride + column + j];
          out += sum.data[i * sum.stride + j];
          if (!(out - out == 0.0F)) return false;
        }
      }
    }
  }
  return true;
}

}  // namespace

Status multiply(const ProductKernels& kernels, ThreadPool* pool, const Operand& a, const Operand& b,
                Matrix c, Accumulate accumulate) {
  AFTUNE_CHECK(a.depth == b.depth, "the operands of a product differ in depth");
  AFTUNE_CHECK(c.rows == a.rows && c.cols == b.rows, "the output of a product has another shape");
  if (a.rows == 0 || b.rows == 0) return ok();
  const bool strips = accumulate == Accumulate::kAdd && a.depth > kChunkBlocks * kBlock;
  const bool finite = strips ? add_by_strips(kernels, pool, a, b, c)
                             : Multiplication(kernels, pool, a, b, c, accumulate).run();
  if (finite) return ok();
  return Error{Code::kNonFinite, "product " + std::to_string(a.rows) + " x " +
                                     std::to_string(b.rows) + " over " + std::to_string(a.depth) +
                                     ": a value is not finite or reaches 2^70"};
}

}  // namespace aftune::numerics
