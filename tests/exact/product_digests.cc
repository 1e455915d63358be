// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <string>

#include "aftune/base/check.h"
#include "aftune/numerics/product.h"
#include "exact/digest_line.h"
#include "exact/digests.h"
#include "exact/painted.h"

namespace aftune::exact {
namespace {

using numerics::Engine;
using numerics::Store;

// Token rows, outputs, inputs: around blocks of 256 and around the rows of panels.
struct Extents {
  std::size_t rows, outputs, inputs;
};
constexpr Extents kShapes[] = {{1, 1, 1},     {1, 5, 255},   {3, 7, 256},   {4, 8, 257},
                               {257, 3, 2},   {2, 300, 9},   {13, 17, 511}, {33, 9, 513},
                               {130, 66, 70}, {31, 63, 129}, {64, 48, 576}, {2, 3, 1025},
                               {513, 18, 35}};

/// The three products of a linear layer, written and then added; rows lie `pad` apart.
void take_products(const Engine& engine, const Extents& e, const Values& x, const Values& w,
                   const Values& dy, std::size_t pad, DigestLine& line) {
  const numerics::ConstMatrix x_TK(x.data(), e.rows, e.inputs, e.inputs + pad);
  const numerics::ConstMatrix w_NK(w.data(), e.outputs, e.inputs, e.inputs + pad);
  const numerics::ConstMatrix dy_TN(dy.data(), e.rows, e.outputs, e.outputs + pad);
  Values y(dy.size(), 0.5F), dx(x.size(), 0.5F), dw(w.size(), 0.5F);
  for (const Store store : {Store::kWrite, Store::kAdd}) {
    const bool holds =
        numerics::linear(engine, x_TK, w_NK, {y.data(), e.rows, e.outputs, e.outputs + pad},
                         store) &&
        numerics::linear_grad_input(engine, dy_TN, w_NK,
                                    {dx.data(), e.rows, e.inputs, e.inputs + pad}, store) &&
        numerics::linear_grad_weight(engine, dy_TN, x_TK,
                                     {dw.data(), e.outputs, e.inputs, e.inputs + pad}, store);
    AFTUNE_CHECK(holds, "finite products were refused");
    for (const Values* result : {&y, &dx, &dw}) line.take(*result);
  }
}

void shape_digests(const Engine& engine, const std::string& values, int lowest, int highest) {
  std::uint32_t seed = 1;
  for (const Extents& e : kShapes) {
    DigestLine line("product." + values + "." + std::to_string(e.rows) + "x" +
                    std::to_string(e.outputs) + "x" + std::to_string(e.inputs));
    for (const std::size_t pad : {0U, 3U}) {
      const Values x = painted(e.rows * (e.inputs + pad), ++seed, lowest, highest);
      const Values w = painted(e.outputs * (e.inputs + pad), ++seed, lowest, highest);
      const Values dy = painted(e.rows * (e.outputs + pad), ++seed, lowest, highest);
      take_products(engine, e, x, w, dy, pad, line);
    }
  }
}

/// One value beside others, at the edges of exponents and of what is refused.
void edge_digests(const Engine& engine) {
  DigestLine line("product.edges");
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float edge : {0x1p-149F, 0x1p-126F, 0x1p-67F, 0x1.fdfep-53F, 0x1.fdffp+14F, 32639.0F,
                           32639.5F, 32640.0F, 0x1.fdfdfep+69F, 0x1.fdfep+69F, 0x1p+127F, -0.0F,
                           kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    for (const float sign : {1.0F, -1.0F}) {
      Values x = painted(2 * 300, 77, -20, 0);
      x[299] = sign * edge;
      const Values w = painted(3 * 300, 78, -9, -3);
      Values y(6);
      const bool holds = numerics::linear(engine, {x.data(), 2, 300}, {w.data(), 3, 300},
                                          {y.data(), 2, 3}, Store::kWrite)
                             .has_value();
      line.take(std::uint32_t{holds});
      if (holds) line.take(y);
    }
  }
}

}  // namespace

void product_digests(const Engine& engine) {
  shape_digests(engine, "normal", -4, 2);
  shape_digests(engine, "wide", -75, 30);
  edge_digests(engine);
}

}  // namespace aftune::exact
