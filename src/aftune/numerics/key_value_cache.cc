// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/key_value_cache.h"

#include <algorithm>
#include <atomic>
#include <string>

#include "aftune/base/check.h"
#include "aftune/numerics/internal/cached_head.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/quantised_block.h"

namespace aftune::numerics {
namespace {

constexpr std::size_t kFewPositions = 8;  // not worth a second thread

/// Puts the rows of one key/value head where they belong.
class HeadWriter {
 public:
  HeadWriter(const ElementwiseKernels& kernels, const CachedHead& head, std::size_t head_dim)
      : kernels_(kernels), head_(head), head_dim_(head_dim) {}

  bool put_key(const float* k, std::size_t position) const {
    QuantisedBlock quantised;
    for (std::size_t first = 0; first < head_dim_; first += kBlock) {
      const std::size_t depth = std::min(kBlock, head_dim_ - first);
      if (!quantised.set(kernels_, k + first, depth)) return false;
      put_lane(quantised, depth, position % kPanelRows, head_.keys(position, first / kBlock));
    }
    return true;
  }

  /// x16pv: one exponent for all columns, and the integers have exponent 0.
  bool put_value(const float* v, std::size_t position) const {
    int exponent = 0;
    if (!choose_exponent(kernels_, v, head_dim_, exponent)) return false;
    const float inverse = power_of_two(-exponent);
    const std::size_t slot = position % kBlock;
    for (std::size_t c = 0; c < head_dim_; ++c) {
      PanelBlock& panel = head_.values(position, c / kPanelRows);
      panel.values[slot / 2][c % kPanelRows][slot % 2] = round_to_integer(v[c] * inverse);
    }
    head_.powers(position)[slot] = power_of_two(exponent);
    return true;
  }

 private:
  const ElementwiseKernels& kernels_;
  const CachedHead& head_;
  std::size_t head_dim_;
};

}  // namespace

KeyValueCache::KeyValueCache(std::size_t kv_heads, std::size_t head_dim)
    : kv_heads_(kv_heads), head_dim_(head_dim) {
  AFTUNE_CHECK(kv_heads > 0 && head_dim > 0, "a cache without heads");
}
KeyValueCache::~KeyValueCache() = default;
KeyValueCache::KeyValueCache(KeyValueCache&&) noexcept = default;
KeyValueCache& KeyValueCache::operator=(KeyValueCache&&) noexcept = default;

std::size_t KeyValueCache::bytes() const {
  return segments_.size() * kv_heads_ * CachedHead::bytes(head_dim_);
}

void KeyValueCache::add_segment() {
  const Segment& added = segments_.emplace_back(kv_heads_ * CachedHead::bytes(head_dim_));
  std::fill_n(added.memory.data(), added.memory.size(), std::byte{0});
  const std::size_t first = (segments_.size() - 1) * kBlock;
  for (std::size_t head = 0; head < kv_heads_; ++head) {
    for (std::size_t panel = 0; panel < CachedHead::value_panels(head_dim_); ++panel) {
      std::ranges::fill(CachedHead(*this, head).values(first, panel).scale, power_of_two(4));
    }
  }
}

Status KeyValueCache::append(const Engine& engine, ConstMatrix k, ConstMatrix v) {
  const std::size_t width = kv_heads_ * head_dim_;
  AFTUNE_CHECK(k.cols == width && v.cols == width && k.rows == v.rows,
               "keys and values of another shape");
  while (segments_.size() * kBlock < size_ + k.rows) add_segment();
  std::atomic<bool> finite{true};
  const std::size_t grain = k.rows <= kFewPositions ? kv_heads_ : 1;
  engine.pool().parallel_ranges(kv_heads_, grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t head = begin; head < end; ++head) {
      const CachedHead place(*this, head);
      const HeadWriter writer(engine.kernels().elementwise, place, head_dim_);
      for (std::size_t i = 0; i < k.rows; ++i) {
        if (!writer.put_key(k.data + i * k.stride + head * head_dim_, size_ + i) ||
            !writer.put_value(v.data + i * v.stride + head * head_dim_, size_ + i)) {
          finite = false;
        }
      }
    }
  });
  if (!finite) {
    return Error{Code::kNonFinite, "keys and values of " + std::to_string(k.rows) +
                                       " positions: a value is not finite or reaches 2^70"};
  }
  size_ += k.rows;
  return ok();
}

}  // namespace aftune::numerics
