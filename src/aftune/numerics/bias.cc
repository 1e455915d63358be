// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/bias.h"

#include <algorithm>
#include <array>

#include "aftune/base/check.h"

namespace aftune::numerics {
namespace {

constexpr std::size_t kLanes = 64;
constexpr std::size_t kColumns = 32;  // whose lanes fit the first cache

/// Single additions in a stated order: no instruction set can change their bits.
void add_rows(const float* from, std::size_t count, float* to) {
  for (std::size_t i = 0; i < count; ++i) to[i] = to[i] + from[i];
}

void grad_of_columns(ConstMatrix dy, std::size_t first, std::size_t count, float* d_bias) {
  std::array<float, kLanes * kColumns> lanes{};
  const auto lane = [&lanes](std::size_t t) { return &lanes[t * kColumns]; };
  for (std::size_t t = 0; t < dy.rows; ++t) {
    add_rows(dy.data + t * dy.stride + first, count, lane(t % kLanes));
  }
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t t = 0; t < half; ++t) add_rows(lane(t + half), count, lane(t));
  }
  add_rows(lane(0), count, d_bias);
}

}  // namespace

void add_bias(const Engine& engine, std::span<const float> bias_N, Matrix y_TN) {
  AFTUNE_CHECK(bias_N.size() == y_TN.cols, "operands differ in shape");
  const std::size_t grain = std::max<std::size_t>(1, 16384 / std::max<std::size_t>(1, y_TN.cols));
  engine.pool().parallel_ranges(y_TN.rows, grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      add_rows(bias_N.data(), bias_N.size(), y_TN.data + t * y_TN.stride);
    }
  });
}

void bias_grad(const Engine& engine, ConstMatrix dy_TN, std::span<float> d_bias_N) {
  AFTUNE_CHECK(d_bias_N.size() == dy_TN.cols, "operands differ in shape");
  engine.pool().parallel_ranges(dy_TN.cols, kColumns, [&](std::size_t begin, std::size_t end) {
    for (std::size_t first = begin; first < end; first += kColumns) {
      grad_of_columns(dy_TN, first, std::min(kColumns, end - first), &d_bias_N[first]);
    }
  });
}

}  // namespace aftune::numerics
