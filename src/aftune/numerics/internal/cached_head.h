// SPDX-License-Identifier: Apache-2.0
// How a KeyValueCache keeps one key/value head. A segment of 256 positions holds for each head 16
// panels of keys, panels of 16 columns of values whose summed index is the key, and the powers of
// two of x16pv.
#pragma once

#include "aftune/numerics/internal/large_memory.h"
#include "aftune/numerics/internal/packed_kernels.h"
#include "aftune/numerics/key_value_cache.h"

namespace aftune::numerics {

struct KeyValueCache::Segment {
  explicit Segment(std::size_t bytes) : memory(bytes) {}
  LargeMemory memory;
};

/// Where things stand in one head. Positions are those of the sequence. A borrowed view: what it
/// gives can be written, as a span's elements can.
class CachedHead {
 public:
  CachedHead(const KeyValueCache& cache, std::size_t head)
      : cache_(cache), start_(head * bytes(cache.head_dim_)) {}

  /// Bytes of a head in a segment.
  static constexpr std::size_t bytes(std::size_t head_dim) {
    return kBlock / kPanelRows * panel_bytes(head_dim) +
           value_panels(head_dim) * sizeof(PanelBlock) + kBlock * sizeof(float);
  }
  static constexpr std::size_t value_panels(std::size_t head_dim) {
    return (head_dim + kPanelRows - 1) / kPanelRows;
  }

  /// Block `block` of the columns of the 16 keys around `position`.
  [[nodiscard]] PanelBlock& keys(std::size_t position, std::size_t block) const {
    return *reinterpret_cast<PanelBlock*>(
        segment(position) + position % kBlock / kPanelRows * panel_bytes(cache_.head_dim_) +
        block * sizeof(PanelBlock));
  }
  /// Columns 16 * panel and the following, of the 256 keys around `position`.
  [[nodiscard]] PanelBlock& values(std::size_t position, std::size_t panel) const {
    return *reinterpret_cast<PanelBlock*>(segment(position) +
                                          kBlock / kPanelRows * panel_bytes(cache_.head_dim_) +
                                          panel * sizeof(PanelBlock));
  }
  /// 2^e of the 256 keys around `position`.
  [[nodiscard]] float* powers(std::size_t position) const {
    return reinterpret_cast<float*>(segment(position) + bytes(cache_.head_dim_) -
                                    kBlock * sizeof(float));
  }

 private:
  [[nodiscard]] std::byte* segment(std::size_t position) const {
    return cache_.segments_[position / kBlock].memory.data() + start_;
  }

  const KeyValueCache& cache_;
  std::size_t start_;
};

}  // namespace aftune::numerics
