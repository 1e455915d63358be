// SPDX-License-Identifier: Apache-2.0
// What later tokens need of the ones before them: keys and values. Definition of their integers:
// docs/formats/exact-arithmetic.md, "attention".
#pragma once

#include <cstddef>
#include <vector>

#include "aftune/base/result.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/matrix.h"

namespace aftune::numerics {

/// Keys and values of one sequence in one layer, quantised when they come and kept at two bytes a
/// value. Grows by segments of 256 positions.
/// Threads: one at a time; many may attend to it while nobody appends.
class KeyValueCache {
 public:
  KeyValueCache(std::size_t kv_heads, std::size_t head_dim);
  ~KeyValueCache();
  KeyValueCache(KeyValueCache&&) noexcept;
  KeyValueCache& operator=(KeyValueCache&&) noexcept;

  [[nodiscard]] std::size_t size() const { return size_; }  // positions
  [[nodiscard]] std::size_t bytes() const;                  // of memory

  /// The next positions. k and v: rows of kv_heads * head_dim.
  /// Errors: kNonFinite for a value that x16 refuses; the size is as before then.
  Status append(const Engine& engine, ConstMatrix k, ConstMatrix v);

 private:
  friend class CachedHead;
  struct Segment;
  void add_segment();

  std::size_t kv_heads_, head_dim_;
  std::size_t size_ = 0;
  std::vector<Segment> segments_;
};

}  // namespace aftune::numerics
