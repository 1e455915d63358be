// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/update.h"

#include <cmath>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/update_ranges.h"
#include "aftune/numerics/scalar_math.h"

namespace aftune::numerics {
namespace {

constexpr std::size_t kSumChunk = 65536;  // part of the definition of a sum of squares

}  // namespace

double sum_of_squares(const Engine& engine, std::span<const float> values) {
  std::vector<double> sums((values.size() + kSumChunk - 1) / kSumChunk);
  engine.pool().parallel_ranges(values.size(), kSumChunk, [&](std::size_t begin, std::size_t end) {
    sums[begin / kSumChunk] = engine.kernels().elementwise.square_sum(&values[begin], end - begin);
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

AdamWScalars adamw_scalars(double lr, double beta1, double beta2, double eps, double weight_decay,
                           std::uint64_t step, float clip) {
  AFTUNE_CHECK(step >= 1, "steps count from 1");
  return {.clip = clip,
          .beta1 = static_cast<float>(beta1),
          .one_minus_beta1 = static_cast<float>(1 - beta1),
          .beta2 = static_cast<float>(beta2),
          .one_minus_beta2 = static_cast<float>(1 - beta2),
          .step_size = static_cast<float>(lr / (1 - exact_power(beta1, step))),
          .root_bc2 = static_cast<float>(std::sqrt(1 - exact_power(beta2, step))),
          .eps = static_cast<float>(eps),
          .decay = static_cast<float>(1 - lr * weight_decay)};
}

Status adamw(const Engine& engine, const AdamWScalars& scalars, std::span<const float> gradient,
             std::span<float> parameter, std::span<float> m, std::span<float> v) {
  AFTUNE_CHECK(gradient.size() == parameter.size() && m.size() == parameter.size() &&
                   v.size() == parameter.size(),
               "operands differ in length");
  return update_ranges(engine, parameter.size(), [&](std::size_t begin, std::size_t count) {
    return engine.kernels().elementwise.adamw(scalars, &gradient[begin], count, &parameter[begin],
                                              &m[begin], &v[begin]);
  });
}

Status sgd(const Engine& engine, const SgdScalars& scalars, std::span<const float> gradient,
           std::span<float> parameter, std::span<float> buffer) {
  const bool has_buffer = scalars.momentum != 0.0f;
  AFTUNE_CHECK(
      gradient.size() == parameter.size() && (!has_buffer || buffer.size() == parameter.size()),
      "operands differ in length");
  return update_ranges(engine, parameter.size(), [&](std::size_t begin, std::size_t count) {
    return engine.kernels().elementwise.sgd(scalars, &gradient[begin], count, &parameter[begin],
                                            has_buffer ? &buffer[begin] : nullptr);
  });
}

}  // namespace aftune::numerics
