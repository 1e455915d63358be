// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/frozen_matrix.h"

#include <algorithm>

#include "aftune/base/check.h"
#include "aftune/numerics/elementwise.h"
#include "aftune/numerics/product.h"
#include "aftune/tensor/narrow.h"

namespace aftune::model {
namespace {

using numerics::ConstMatrix;
using numerics::Engine;
using numerics::Matrix;
using numerics::Store;

constexpr std::size_t kStripMultiple = 128;  // whole panels of every kernel
constexpr std::size_t kRowsOfATask = 16;

/// Extents behind the first are one: patches of an image are [D, C, P, P].
ConstMatrix wide_matrix(const Tensor& w) {
  const std::size_t rows = w.shape()[0];
  return {w.data(), rows, w.count() / rows};
}

/// Lines of `length` elements that fit into `bytes` widened.
std::size_t lines_of_strip(std::size_t length, std::size_t bytes) {
  const std::size_t lines = bytes / (sizeof(float) * std::max<std::size_t>(length, 1));
  return std::max(lines / kStripMultiple * kStripMultiple, kStripMultiple);
}

/// Part of a narrow matrix.
struct Part {
  std::size_t row, rows, column, columns;
};

/// Its elements in `out`, [rows, columns]; makes room there.
ConstMatrix widened(const Engine& engine, const Tensor& w, const Part& part, Tensor& out) {
  if (out.count() < part.rows * part.columns) {
    out = Tensor::unwritten(Dtype::kF32, {part.rows * part.columns});
  }
  const std::size_t width = w.shape()[1];
  float* const to = out.data();
  engine.pool().parallel_ranges(part.rows, kRowsOfATask, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      const std::size_t from = (part.row + r) * width + part.column;
      widen(w.dtype(), w.bytes().subspan(2 * from, 2 * part.columns),
            {to + r * part.columns, part.columns});
    }
  });
  return {to, part.rows, part.columns};
}

Matrix columns_of(Matrix m, std::size_t begin, std::size_t count) {
  return {m.data + begin, m.rows, count, m.stride};
}

}  // namespace

Status linear(const Engine& engine, ConstMatrix x_TK, const Tensor& w_NK, Matrix y_TN, Store store,
              std::size_t strip_bytes) {
  if (w_NK.dtype() == Dtype::kF32) {
    return numerics::linear(engine, x_TK, wide_matrix(w_NK), y_TN, store);
  }
  const std::size_t rows = w_NK.shape()[0], depth = w_NK.shape()[1];
  const std::size_t strip = lines_of_strip(depth, strip_bytes);
  Tensor space;
  for (std::size_t row = 0; row < rows; row += strip) {
    const Part part{row, std::min(strip, rows - row), 0, depth};
    const ConstMatrix w = widened(engine, w_NK, part, space);
    AFTUNE_TRY(numerics::linear(engine, x_TK, w, columns_of(y_TN, row, part.rows), store));
  }
  return ok();
}

Status linear_grad_input(const Engine& engine, ConstMatrix dy_TN, const Tensor& w_NK, Matrix dx_TK,
                         Store store, std::size_t strip_bytes) {
  if (w_NK.dtype() == Dtype::kF32) {
    return numerics::linear_grad_input(engine, dy_TN, wide_matrix(w_NK), dx_TK, store);
  }
  // A sum is over all rows of w: strips are columns of it.
  const std::size_t rows = w_NK.shape()[0], columns = w_NK.shape()[1];
  const std::size_t strip = lines_of_strip(rows, strip_bytes);
  Tensor space;
  for (std::size_t column = 0; column < columns; column += strip) {
    const Part part{0, rows, column, std::min(strip, columns - column)};
    const ConstMatrix w = widened(engine, w_NK, part, space);
    AFTUNE_TRY(numerics::linear_grad_input(engine, dy_TN, w,
                                           columns_of(dx_TK, column, part.columns), store));
  }
  return ok();
}

void embedding(const Engine& engine, const Tensor& table_VD, std::span<const std::int32_t> ids,
               Matrix out_TD) {
  if (table_VD.dtype() == Dtype::kF32) {
    return numerics::embedding(engine, wide_matrix(table_VD), ids, out_TD);
  }
  const std::size_t width = table_VD.shape()[1];
  AFTUNE_CHECK(out_TD.rows == ids.size() && out_TD.cols == width, "operands differ in shape");
  engine.pool().parallel_ranges(ids.size(), kRowsOfATask, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      const auto id = static_cast<std::size_t>(ids[t]);
      AFTUNE_CHECK(ids[t] >= 0 && id < table_VD.shape()[0], "token id outside the table");
      widen(table_VD.dtype(), table_VD.bytes().subspan(2 * id * width, 2 * width),
            {out_TD.data + t * out_TD.stride, width});
    }
  });
}

}  // namespace aftune::model
