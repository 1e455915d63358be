// SPDX-License-Identifier: Apache-2.0
// x16 of two matrices of any size: blocks, panels, edges and threads around the kernels.
#pragma once

#include <cstddef>

#include "aftune/base/result.h"
#include "aftune/base/thread_pool.h"
#include "aftune/numerics/internal/product_kernels.h"
#include "aftune/numerics/matrix.h"

namespace aftune::numerics {

/// One side of a product: `rows` rows of `depth` values that are summed over.
struct Operand {
  const float* data;
  std::size_t rows, depth, stride;
  bool transposed;  // row r is column r of the matrix at `data`
  Exponents exponents = Exponents::kChosen;

  static Operand rows_of(ConstMatrix m) { return {m.data, m.rows, m.cols, m.stride, false}; }
  static Operand columns_of(ConstMatrix m) { return {m.data, m.cols, m.rows, m.stride, true}; }
};

enum class Accumulate {
  kWrite,      // c = the product
  kUnchecked,  // kWrite, but the caller looks for non-finite results where it needs them
  kAdd,        // c = c + the product, one addition
  kContinue,   // c holds the sum over earlier blocks; the product's blocks follow them
};

/// c = a b^T. Null `pool`: on the calling thread alone.
/// Requires: equal depths; c is a.rows x b.rows and overlaps neither operand.
/// Errors: kNonFinite, naming the shape.
Status multiply(const ProductKernels& kernels, ThreadPool* pool, const Operand& a, const Operand& b,
                Matrix c, Accumulate accumulate);

}  // namespace aftune::numerics
