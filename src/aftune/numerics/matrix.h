// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace aftune::numerics {

/// A borrowed fp32 matrix: element (r, c) at data[r * stride + c].
struct ConstMatrix {
  const float* data;
  std::size_t rows, cols, stride;

  ConstMatrix(const float* p, std::size_t r, std::size_t c) : ConstMatrix(p, r, c, c) {}
  ConstMatrix(const float* p, std::size_t r, std::size_t c, std::size_t s)
      : data(p), rows(r), cols(c), stride(s) {}
};

struct Matrix {
  float* data;
  std::size_t rows, cols, stride;

  Matrix(float* p, std::size_t r, std::size_t c) : Matrix(p, r, c, c) {}
  Matrix(float* p, std::size_t r, std::size_t c, std::size_t s)
      : data(p), rows(r), cols(c), stride(s) {}
  operator ConstMatrix() const { return {data, rows, cols, stride}; }
};

/// What a product does with the result: writes it, or adds it to what stands there by one fp32
/// addition an element.
enum class Store { kWrite, kAdd };

}  // namespace aftune::numerics
