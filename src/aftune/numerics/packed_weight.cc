// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/packed_weight.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <string>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/large_memory.h"
#include "aftune/numerics/internal/quantised_block.h"
#include "aftune/numerics/internal/scratch.h"

namespace aftune::numerics {
namespace {

// Sizes that change speed only, never a bit.
constexpr std::size_t kCachedRows = 64;       // of x, that share a pass over the weights
constexpr std::size_t kTaskBytes = 64 << 10;  // of weights, that a thread takes at a time
constexpr std::size_t kQuantiseGrain = 16;    // rows of x that a thread takes at a time

std::size_t parts(std::size_t count, std::size_t size) { return (count + size - 1) / size; }

std::size_t depth_of(std::size_t depth, std::size_t block) {
  return std::min(kBlock, depth - block * kBlock);
}

bool pack_panel(const ElementwiseKernels& kernels, ConstMatrix w, std::size_t panel,
                std::byte* out) {
  const std::size_t first = panel * kPanelRows;
  std::fill_n(out, panel_bytes(w.cols), std::byte{0});
  QuantisedBlock quantised;
  for (std::size_t block = 0; block < parts(w.cols, kBlock); ++block) {
    auto& place = *reinterpret_cast<PanelBlock*>(out + block * sizeof(PanelBlock));
    for (std::size_t row = first; row < std::min(first + kPanelRows, w.rows); ++row) {
      const std::size_t depth = depth_of(w.cols, block);
      if (!quantised.set(kernels, w.data + row * w.stride + block * kBlock, depth)) return false;
      put_lane(quantised, depth, row - first, place);
    }
  }
  return true;
}

Error not_finite(std::size_t rows, std::size_t outputs, std::size_t depth) {
  return {Code::kNonFinite, "product " + std::to_string(rows) + " x " + std::to_string(outputs) +
                                " over " + std::to_string(depth) +
                                ": a value is not finite or reaches 2^70"};
}

thread_local Scratch row_scratch;

/// All rows of x: blocks of row 0 .. T-1 for block 0, then for block 1, ...
class QuantisedRows {
 public:
  explicit QuantisedRows(ConstMatrix x)
      : rows_(x.rows),
        blocks_(reinterpret_cast<RowBlock*>(
            row_scratch.at_least(x.rows * parts(x.cols, kBlock) * sizeof(RowBlock)))) {}

  bool set(const Engine& engine, ConstMatrix x) {
    std::atomic<bool> finite{true};
    engine.pool().parallel_ranges(rows_, kQuantiseGrain, [&](std::size_t begin, std::size_t end) {
      QuantisedBlock quantised;
      for (std::size_t row = begin; row < end; ++row) {
        for (std::size_t block = 0; block < parts(x.cols, kBlock); ++block) {
          if (!quantised.set(engine.kernels().elementwise, x.data + row * x.stride + block * kBlock,
                             depth_of(x.cols, block))) {
            finite = false;
          }
          put_row(quantised, blocks_[block * rows_ + row]);
        }
      }
    });
    return finite;
  }

  [[nodiscard]] const RowBlock* at(std::size_t block, std::size_t row) const {
    return blocks_ + block * rows_ + row;
  }

 private:
  std::size_t rows_;
  RowBlock* blocks_;
};

/// Panels [begin, end) of one product.
struct Task {
  const PackedProduct* product;
  std::size_t begin, end;
};

/// Stretches of memory, long for the sake of prefetching and many enough to even out what a thread
/// loses to others.
std::vector<Task> split(std::span<const PackedProduct> products) {
  std::vector<Task> tasks;
  for (const PackedProduct& product : products) {
    const PackedWeightView& weight = product.weight_NK;
    const std::size_t panels = parts(weight.rows, kPanelRows);
    const std::size_t bytes = std::max<std::size_t>(panel_bytes(weight.depth), 1);
    const std::size_t step = std::max<std::size_t>(kTaskBytes / bytes, 1);
    for (std::size_t first = 0; first < panels; first += step) {
      tasks.push_back({&product, first, std::min(first + step, panels)});
    }
  }
  return tasks;
}

/// Writes or adds a tile. False if a value that it stored is not finite.
bool store_tile(const float* tile, std::size_t rows, std::size_t columns, Store store, float* out,
                std::size_t stride) {
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      float& y = out[i * stride + j];
      const float product = tile[i * kPanelRows + j];
      y = store == Store::kAdd ? y + product : product;
      largest = std::max(largest, std::bit_cast<std::uint32_t>(y) & 0x7fffffff);
    }
  }
  return largest < kInfiniteMagnitude;
}

/// One panel's outputs of all rows in [begin, end).
bool multiply_panel(const PackedKernels& kernels, const QuantisedRows& x, std::size_t begin,
                    std::size_t end, const PackedProduct& product, std::size_t panel) {
  const PackedWeightView& w = product.weight_NK;
  const std::byte* data = w.data + panel * panel_bytes(w.depth);
  const std::size_t column = panel * kPanelRows;
  bool finite = true;
  for (std::size_t row = begin; row < end; row += kFewRows) {
    const std::size_t rows = std::min(kFewRows, end - row);
    alignas(64) float tile[kFewRows * kPanelRows] = {};
    for (std::size_t block = 0; block < parts(w.depth, kBlock); ++block) {
      kernels.multiply(x.at(block, row), rows,
                       *reinterpret_cast<const PanelBlock*>(data + block * sizeof(PanelBlock)),
                       depth_of(w.depth, block), tile);
    }
    finite =
        store_tile(tile, rows, std::min(kPanelRows, w.rows - column), product.store,
                   product.y_TN.data + row * product.y_TN.stride + column, product.y_TN.stride) &&
        finite;
  }
  return finite;
}

}  // namespace

struct PackedWeights::Memory {
  LargeMemory bytes;
};

std::size_t PackedWeightView::bytes() const { return PackedWeights::bytes_of(rows, depth); }

std::size_t PackedWeights::bytes_of(std::size_t rows, std::size_t depth) {
  return parts(rows, kPanelRows) * panel_bytes(depth);
}

PackedWeights::PackedWeights(std::size_t capacity)
    : memory_(std::make_unique<Memory>(Memory{LargeMemory(capacity)})) {}
PackedWeights::~PackedWeights() = default;
PackedWeights::PackedWeights(PackedWeights&&) noexcept = default;
PackedWeights& PackedWeights::operator=(PackedWeights&&) noexcept = default;

Result<PackedWeightView> PackedWeights::add(const Engine& engine, ConstMatrix w_NK) {
  const PackedWeightView weight{memory_->bytes.data() + used_, w_NK.rows, w_NK.cols};
  AFTUNE_CHECK(used_ + weight.bytes() <= memory_->bytes.size(), "no room for a packed weight");
  std::byte* out = memory_->bytes.data() + used_;
  std::atomic<bool> finite{true};
  engine.pool().parallel_for(parts(w_NK.rows, kPanelRows), [&](std::size_t panel) {
    if (!pack_panel(engine.kernels().elementwise, w_NK, panel,
                    out + panel * panel_bytes(w_NK.cols))) {
      finite = false;
    }
  });
  if (!finite) return not_finite(0, w_NK.rows, w_NK.cols);
  used_ += weight.bytes();
  return weight;
}

Status linear_packed(const Engine& engine, ConstMatrix x_TK,
                     std::span<const PackedProduct> products) {
  for (const PackedProduct& product : products) {
    AFTUNE_CHECK(product.weight_NK.depth == x_TK.cols, "the operands of a product differ in depth");
    AFTUNE_CHECK(product.y_TN.rows == x_TK.rows && product.y_TN.cols == product.weight_NK.rows,
                 "the output of a product has another shape");
  }
  if (x_TK.rows == 0 || products.empty()) return ok();
  QuantisedRows x(x_TK);
  std::atomic<bool> finite{x.set(engine, x_TK)};
  const std::vector<Task> tasks = split(products);
  engine.pool().parallel_for(tasks.size(), [&](std::size_t index) {
    const Task& task = tasks[index];
    for (std::size_t row = 0; row < x_TK.rows && finite; row += kCachedRows) {
      for (std::size_t panel = task.begin; panel < task.end; ++panel) {
        if (!multiply_panel(engine.kernels().packed, x, row, std::min(row + kCachedRows, x_TK.rows),
                            *task.product, panel)) {
          finite = false;
        }
      }
    }
  });
  if (finite) return ok();
  return not_finite(x_TK.rows, products.front().weight_NK.rows, x_TK.cols);
}

}  // namespace aftune::numerics
