// SPDX-License-Identifier: Apache-2.0
// Matrix products x16 of linear layers. Definition: docs/formats/exact-arithmetic.md, "x16".
#pragma once

#include "aftune/base/result.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/matrix.h"

namespace aftune::numerics {

// Shape letters: T token rows, N outputs, K inputs.
// Errors of all: kNonFinite if an operand or a result has a NaN, an infinity or a value above the
// format's bound; the output is unspecified then.

/// y = x w^T, summed over K.
Status linear(const Engine& engine, ConstMatrix x_TK, ConstMatrix w_NK, Matrix y_TN, Store store);

/// dx = dy w, summed over N.
Status linear_grad_input(const Engine& engine, ConstMatrix dy_TN, ConstMatrix w_NK, Matrix dx_TK,
                         Store store);

/// dw = dy^T x, summed over T in blocks counted from row 0.
Status linear_grad_weight(const Engine& engine, ConstMatrix dy_TN, ConstMatrix x_TK, Matrix dw_NK,
                          Store store);

}  // namespace aftune::numerics
