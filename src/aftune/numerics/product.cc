// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/product.h"

#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/multiply.h"

namespace aftune::numerics {
namespace {

Status multiply(const Engine& engine, const Operand& a, const Operand& b, Matrix c, Store store) {
  return multiply(engine.kernels().product, &engine.pool(), a, b, c,
                  store == Store::kAdd ? Accumulate::kAdd : Accumulate::kWrite);
}

}  // namespace

Status linear(const Engine& engine, ConstMatrix x_TK, ConstMatrix w_NK, Matrix y_TN, Store store) {
  return multiply(engine, Operand::rows_of(x_TK), Operand::rows_of(w_NK), y_TN, store);
}

Status linear_grad_input(const Engine& engine, ConstMatrix dy_TN, ConstMatrix w_NK, Matrix dx_TK,
                         Store store) {
  return multiply(engine, Operand::rows_of(dy_TN), Operand::columns_of(w_NK), dx_TK, store);
}

Status linear_grad_weight(const Engine& engine, ConstMatrix dy_TN, ConstMatrix x_TK, Matrix dw_NK,
                          Store store) {
  return multiply(engine, Operand::columns_of(dy_TN), Operand::columns_of(x_TK), dw_NK, store);
}

}  // namespace aftune::numerics
