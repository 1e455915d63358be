// SPDX-License-Identifier: Apache-2.0
// x16 once more for tests, read off docs/formats/exact-arithmetic.md and sharing no line with the
// kernels: exponents by search, the four-byte form of T, 64-bit integers.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace aftune::numerics {

/// A dense matrix of a test. `at` is (row, column).
struct Grid {
  std::size_t rows, cols;
  std::vector<float> values;

  Grid(std::size_t r, std::size_t c) : rows(r), cols(c), values(r * c) {}
  Grid(std::size_t r, std::size_t c, std::vector<float> v)
      : rows(r), cols(c), values(std::move(v)) {}
  float& at(std::size_t r, std::size_t c) { return values[r * cols + c]; }
  [[nodiscard]] float at(std::size_t r, std::size_t c) const { return values[r * cols + c]; }
  [[nodiscard]] Grid transposed() const {
    Grid out(cols, rows);
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < cols; ++c) out.at(c, r) = at(r, c);
    }
    return out;
  }
};

struct PaperBlock {
  int exponent = 0;
  std::vector<std::int64_t> high, low;
};

/// The smallest exponent that fits, found by trying; nothing if none does.
inline std::optional<int> paper_exponent(const float* x, std::size_t count) {
  double largest = 0;
  for (std::size_t k = 0; k < count; ++k) {
    if (!std::isfinite(x[k])) return std::nullopt;
    largest = std::max(largest, std::abs(static_cast<double>(x[k])));
  }
  for (int e = -66; e <= 55; ++e) {
    if (std::rint(std::ldexp(largest, -e)) <= 32639) return e;
  }
  return std::nullopt;
}

inline PaperBlock paper_block(const float* x, std::size_t count, int exponent) {
  PaperBlock block{exponent, {}, {}};
  for (std::size_t k = 0; k < count; ++k) {
    const double q = std::rint(std::ldexp(static_cast<double>(x[k]), -exponent));
    const double high = std::floor((q + 128) / 256);
    block.high.push_back(static_cast<std::int64_t>(high));
    block.low.push_back(static_cast<std::int64_t>(q - 256 * high));
  }
  return block;
}

/// a b^T. With `integers`, b's values are integers of exponent 0. Nothing if x16 refuses.
inline std::optional<Grid> paper_x16(const Grid& a, const Grid& b, bool integers = false) {
  Grid c(a.rows, b.rows);
  for (std::size_t first = 0; first < a.cols; first += 256) {
    const std::size_t count = std::min<std::size_t>(256, a.cols - first);
    std::vector<PaperBlock> blocks_a, blocks_b;
    for (std::size_t r = 0; r < a.rows; ++r) {
      const auto e = paper_exponent(&a.values[r * a.cols + first], count);
      if (!e) return std::nullopt;
      blocks_a.push_back(paper_block(&a.values[r * a.cols + first], count, *e));
    }
    for (std::size_t r = 0; r < b.rows; ++r) {
      const auto e = integers ? 0 : paper_exponent(&b.values[r * b.cols + first], count);
      if (!e) return std::nullopt;
      blocks_b.push_back(paper_block(&b.values[r * b.cols + first], count, *e));
    }
    for (std::size_t i = 0; i < a.rows; ++i) {
      for (std::size_t j = 0; j < b.rows; ++j) {
        const PaperBlock& x = blocks_a[i];
        const PaperBlock& y = blocks_b[j];
        std::int64_t t = 0;
        for (std::size_t k = 0; k < count; ++k) {
          t += 256 * x.high[k] * y.high[k] + x.high[k] * y.low[k] + x.low[k] * y.high[k];
        }
        const float scale = std::ldexp(1.0f, x.exponent + y.exponent + 8);
        c.at(i, j) = std::fma(static_cast<float>(t), scale, c.at(i, j));
      }
    }
  }
  for (const float value : c.values) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  return c;
}

}  // namespace aftune::numerics
