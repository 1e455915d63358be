// SPDX-License-Identifier: Apache-2.0
// Weights that are quantised once and multiplied many times, two bytes a value: what inference
// reads from memory. Definition: docs/formats/exact-arithmetic.md, "x16".
#pragma once

#include <memory>
#include <span>

#include "aftune/base/result.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/matrix.h"

namespace aftune::numerics {

// Shape letters: T token rows, N outputs, K inputs.

/// A weight [N, K] inside a PackedWeights, which must outlive it.
struct PackedWeightView {
  const std::byte* data = nullptr;
  std::size_t rows = 0, depth = 0;

  [[nodiscard]] std::size_t bytes() const;
};

/// One piece of memory for the weights of a model, filled from its beginning.
class PackedWeights {
 public:
  /// What a weight takes: two bytes a value and an exponent for each row and block of 256, N up to
  /// the next multiple of 16.
  [[nodiscard]] static std::size_t bytes_of(std::size_t rows, std::size_t depth);

  /// Room for weights whose bytes_of add up to `capacity`.
  explicit PackedWeights(std::size_t capacity);
  ~PackedWeights();
  PackedWeights(PackedWeights&&) noexcept;
  PackedWeights& operator=(PackedWeights&&) noexcept;

  /// Requires: room is left. Errors: kNonFinite, as linear() of that weight.
  Result<PackedWeightView> add(const Engine& engine, ConstMatrix w_NK);
  [[nodiscard]] std::size_t bytes() const { return used_; }

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
  std::size_t used_ = 0;
};

/// One of several products of the same rows.
struct PackedProduct {
  PackedWeightView weight_NK;
  Matrix y_TN;
  Store store;
};

/// y = x w^T for each product, in one go. The bits are those of linear() for each of them, and
/// those of row t do not depend on the other rows.
/// Requires: outputs that overlap neither x nor each other.
/// Errors: kNonFinite, as linear().
/// Cost: reads the weights once for every 64 rows of x.
Status linear_packed(const Engine& engine, ConstMatrix x_TK,
                     std::span<const PackedProduct> products);

}  // namespace aftune::numerics
