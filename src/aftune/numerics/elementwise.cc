// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/elementwise.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/scalar_math.h"

namespace aftune::numerics {
namespace {

// Elements that one thread takes at a time: enough to pay for handing them out.
constexpr std::size_t kGrain = 16384;
constexpr std::size_t kColumnGrain = 64;  // what rms_weight_grad takes at once

std::size_t row_grain(std::size_t cols) {
  return std::max<std::size_t>(1, kGrain / std::max<std::size_t>(1, cols));
}

bool same_shape(ConstMatrix a, ConstMatrix b) { return a.rows == b.rows && a.cols == b.cols; }

std::vector<float> row_scales(const Engine& engine, ConstMatrix x, float eps) {
  const ElementwiseKernels& kernels = engine.kernels().elementwise;
  std::vector<float> scales(x.rows);
  engine.pool().parallel_ranges(x.rows, row_grain(x.cols), [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      scales[t] = kernels.rms_scale(x.data + t * x.stride, eps, x.cols);
    }
  });
  return scales;
}

}  // namespace

void copy(const Engine& engine, std::span<const float> from, std::span<float> to) {
  AFTUNE_CHECK(from.size() == to.size(), "operands differ in length");
  engine.pool().parallel_ranges(from.size(), kGrain, [&](std::size_t begin, std::size_t end) {
    std::copy_n(&from[begin], end - begin, &to[begin]);
  });
}

void add(const Engine& engine, std::span<const float> a, std::span<const float> b,
         std::span<float> out) {
  AFTUNE_CHECK(a.size() == b.size() && a.size() == out.size(), "operands differ in length");
  engine.pool().parallel_ranges(a.size(), kGrain, [&](std::size_t begin, std::size_t end) {
    engine.kernels().elementwise.add(&a[begin], &b[begin], end - begin, &out[begin]);
  });
}

void swiglu(const Engine& engine, std::span<const float> gate, std::span<const float> up,
            std::span<float> out) {
  AFTUNE_CHECK(gate.size() == up.size() && gate.size() == out.size(), "operands differ in length");
  engine.pool().parallel_ranges(gate.size(), kGrain, [&](std::size_t begin, std::size_t end) {
    engine.kernels().elementwise.swiglu(&gate[begin], &up[begin], end - begin, &out[begin]);
  });
}

void swiglu_grad(const Engine& engine, std::span<const float> gate, std::span<const float> up,
                 std::span<const float> d_out, std::span<float> d_gate, std::span<float> d_up) {
  AFTUNE_CHECK(gate.size() == up.size() && gate.size() == d_out.size() &&
                   gate.size() == d_gate.size() && gate.size() == d_up.size(),
               "operands differ in length");
  engine.pool().parallel_ranges(gate.size(), kGrain, [&](std::size_t begin, std::size_t end) {
    engine.kernels().elementwise.swiglu_grad(&gate[begin], &up[begin], &d_out[begin], end - begin,
                                             &d_gate[begin], &d_up[begin]);
  });
}

void gelu(const Engine& engine, std::span<const float> x, std::span<float> out) {
  AFTUNE_CHECK(x.size() == out.size(), "operands differ in length");
  engine.pool().parallel_ranges(x.size(), kGrain, [&](std::size_t begin, std::size_t end) {
    engine.kernels().elementwise.gelu(&x[begin], end - begin, &out[begin]);
  });
}

void gelu_grad(const Engine& engine, std::span<const float> x, std::span<const float> dy,
               std::span<float> dx) {
  AFTUNE_CHECK(x.size() == dy.size() && x.size() == dx.size(), "operands differ in length");
  engine.pool().parallel_ranges(x.size(), kGrain, [&](std::size_t begin, std::size_t end) {
    engine.kernels().elementwise.gelu_grad(&x[begin], &dy[begin], end - begin, &dx[begin]);
  });
}

void rms_norm(const Engine& engine, ConstMatrix x_TD, std::span<const float> w_D, float eps,
              Matrix y_TD) {
  AFTUNE_CHECK(same_shape(x_TD, y_TD) && w_D.size() == x_TD.cols, "operands differ in shape");
  const ElementwiseKernels& kernels = engine.kernels().elementwise;
  const std::size_t cols = x_TD.cols;
  engine.pool().parallel_ranges(
      x_TD.rows, row_grain(cols), [&](std::size_t begin, std::size_t end) {
        for (std::size_t t = begin; t < end; ++t) {
          const float* x = x_TD.data + t * x_TD.stride;
          const float scale = kernels.rms_scale(x, eps, cols);
          kernels.rms_norm_row(x, w_D.data(), scale, cols, y_TD.data + t * y_TD.stride);
        }
      });
}

void rms_norm_grad(const Engine& engine, ConstMatrix x_TD, std::span<const float> w_D, float eps,
                   ConstMatrix dy_TD, Matrix dx_TD, Store store, std::span<float> dw_D) {
  AFTUNE_CHECK(same_shape(x_TD, dy_TD) && same_shape(x_TD, dx_TD) && w_D.size() == x_TD.cols &&
                   dw_D.size() == x_TD.cols,
               "operands differ in shape");
  const ElementwiseKernels& kernels = engine.kernels().elementwise;
  const std::size_t rows = x_TD.rows, cols = x_TD.cols;
  const std::vector<float> scales = row_scales(engine, x_TD, eps);
  // The weights first: dx may be dy.
  engine.pool().parallel_ranges(cols, kColumnGrain, [&](std::size_t begin, std::size_t end) {
    kernels.rms_weight_grad(x_TD.data + begin, x_TD.stride, dy_TD.data + begin, dy_TD.stride,
                            scales.data(), rows, end - begin, &dw_D[begin]);
  });
  engine.pool().parallel_ranges(rows, row_grain(cols), [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      kernels.rms_grad_row(x_TD.data + t * x_TD.stride, w_D.data(), dy_TD.data + t * dy_TD.stride,
                           scales[t], cols, store == Store::kAdd, dx_TD.data + t * dx_TD.stride);
    }
  });
}

void rotary_table(std::span<const float> inv_freq, std::uint64_t first_position, Matrix cos,
                  Matrix sin) {
  AFTUNE_CHECK(same_shape(cos, sin) && inv_freq.size() == cos.cols, "tables differ in shape");
  for (std::size_t row = 0; row < cos.rows; ++row) {
    const auto position = static_cast<float>(first_position + row);
    for (std::size_t i = 0; i < inv_freq.size(); ++i) {
      const float angle = position * inv_freq[i];
      AFTUNE_CHECK(angle > -0x1p20f && angle < 0x1p20f, "rotary angle outside the cosine's range");
      cos.data[row * cos.stride + i] = static_cast<float>(exact_cos(angle));
      sin.data[row * sin.stride + i] = static_cast<float>(exact_sin(angle));
    }
  }
}

void rotary(const Engine& engine, Matrix x, std::size_t head_dim, ConstMatrix cos, ConstMatrix sin,
            int direction) {
  AFTUNE_CHECK(direction == 1 || direction == -1, "the direction is neither 1 nor -1");
  AFTUNE_CHECK(head_dim % 2 == 0 && head_dim > 0 && x.cols % head_dim == 0,
               "rows are not whole heads");
  AFTUNE_CHECK(same_shape(cos, sin) && cos.cols == head_dim / 2 && cos.rows > 0,
               "tables do not fit the heads");
  const auto sign = static_cast<float>(direction);
  engine.pool().parallel_ranges(x.rows, row_grain(x.cols), [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      const float* row_cos = cos.data + r % cos.rows * cos.stride;
      const float* row_sin = sin.data + r % sin.rows * sin.stride;
      for (std::size_t head = 0; head < x.cols; head += head_dim) {
        engine.kernels().elementwise.rotate(row_cos, row_sin, sign, head_dim / 2,
                                            x.data + r * x.stride + head);
      }
    }
  });
}

void embedding(const Engine& engine, ConstMatrix table_VD, std::span<const std::int32_t> ids,
               Matrix out_TD) {
  AFTUNE_CHECK(out_TD.rows == ids.size() && out_TD.cols == table_VD.cols,
               "operands differ in shape");
  engine.pool().parallel_ranges(
      ids.size(), row_grain(out_TD.cols), [&](std::size_t begin, std::size_t end) {
        for (std::size_t t = begin; t < end; ++t) {
          const auto id = static_cast<std::size_t>(ids[t]);
          AFTUNE_CHECK(ids[t] >= 0 && id < table_VD.rows, "token id outside the table");
          std::copy_n(table_VD.data + id * table_VD.stride, out_TD.cols,
                      out_TD.data + t * out_TD.stride);
        }
      });
}

void embedding_grad(const Engine& engine, std::span<const std::int32_t> ids, ConstMatrix d_out_TD,
                    Matrix d_table_VD) {
  AFTUNE_CHECK(d_out_TD.rows == ids.size() && d_out_TD.cols == d_table_VD.cols,
               "operands differ in shape");
  // Threads share out columns, so that each column's additions keep the order of the tokens.
  engine.pool().parallel_ranges(
      d_out_TD.cols, kColumnGrain, [&](std::size_t begin, std::size_t end) {
        for (std::size_t t = 0; t < ids.size(); ++t) {
          const auto id = static_cast<std::size_t>(ids[t]);
          AFTUNE_CHECK(ids[t] >= 0 && id < d_table_VD.rows, "token id outside the table");
          float* sum = d_table_VD.data + id * d_table_VD.stride + begin;
          const float* term = d_out_TD.data + t * d_out_TD.stride + begin;
          engine.kernels().elementwise.add(sum, term, end - begin, sum);
        }
      });
}

bool all_finite(const Engine& engine, std::span<const float> values) {
  std::atomic<bool> finite{true};
  engine.pool().parallel_ranges(values.size(), kGrain, [&](std::size_t begin, std::size_t end) {
    const ElementwiseKernels& kernels = engine.kernels().elementwise;
    if (kernels.largest_magnitude(&values[begin], end - begin) >= kInfiniteMagnitude)
      finite = false;
  });
  return finite;
}

}  // namespace aftune::numerics
