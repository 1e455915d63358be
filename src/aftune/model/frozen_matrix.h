// SPDX-License-Identifier: Apache-2.0
// Operations with a matrix that may keep two bytes an element (docs/formats/lora.md, "A narrow
// base"): it is widened where it is used, a strip at a time. Inside the model module only.
#pragma once

#include <cstdint>
#include <span>

#include "aftune/base/result.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/matrix.h"
#include "aftune/tensor/tensor.h"

namespace aftune::model {

// Shape letters: T token rows, N outputs, K inputs, V vocabulary, D hidden.
// The bits of all are those of the operation of numerics with the same name on to_f32(w).
// Requires of all: w of rank 2, fp32 or narrow; an fp32 one may have more, which count as columns.

/// Widened elements in memory at once, where rows and columns are not longer than usual.
inline constexpr std::size_t kStripBytes = std::size_t{32} << 20;

/// y = x w^T. Errors: kNonFinite.
Status linear(const numerics::Engine& engine, numerics::ConstMatrix x_TK, const Tensor& w_NK,
              numerics::Matrix y_TN, numerics::Store store, std::size_t strip_bytes = kStripBytes);

/// dx = dy w. Errors: kNonFinite.
Status linear_grad_input(const numerics::Engine& engine, numerics::ConstMatrix dy_TN,
                         const Tensor& w_NK, numerics::Matrix dx_TK, numerics::Store store,
                         std::size_t strip_bytes = kStripBytes);

/// out row t = table row ids[t]. Requires: ids below the table's rows.
void embedding(const numerics::Engine& engine, const Tensor& table_VD,
               std::span<const std::int32_t> ids, numerics::Matrix out_TD);

}  // namespace aftune::model
