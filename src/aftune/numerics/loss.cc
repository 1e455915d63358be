// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/loss.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/scalar_math.h"

namespace aftune::numerics {
namespace {

double loss_of(float sum, float label_logit, float top) {
  return exact_log(sum) - (static_cast<double>(label_logit) - static_cast<double>(top));
}

/// The loss of one row, or nothing if a logit is not finite. The row becomes its gradient if
/// `factor` is set.
std::optional<double> row_loss(const ElementwiseKernels& kernels, float* row, std::size_t count,
                               std::size_t label, std::optional<float> factor) {
  if (kernels.largest_magnitude(row, count) >= kInfiniteMagnitude) return std::nullopt;
  const float top = kernels.row_max(row, count);
  const float label_logit = row[label];
  if (!factor) return loss_of(kernels.exp_sum(row, top, count), label_logit, top);
  kernels.exp_row(row, top, count, row);
  const float sum = kernels.lane_sum(row, count);
  const float label_share = row[label] / sum;
  kernels.divide_scale(sum, *factor, count, row);
  row[label] = (label_share - 1.0f) * *factor;
  return loss_of(sum, label_logit, top);
}

}  // namespace

Result<float> cross_entropy(const Engine& engine, Matrix logits_TV,
                            std::span<const std::int32_t> labels, std::uint64_t counted,
                            bool gradient) {
  AFTUNE_CHECK(labels.size() == logits_TV.rows, "labels and logits differ in rows");
  AFTUNE_CHECK(counted >= 1, "no counted token");
  const auto divisor = static_cast<double>(counted);
  std::optional<float> factor;
  if (gradient) factor = static_cast<float>(1.0 / divisor);

  std::vector<std::optional<double>> losses(labels.size());
  engine.pool().parallel_for(labels.size(), [&](std::size_t t) {
    float* row = logits_TV.data + t * logits_TV.stride;
    if (labels[t] == kIgnoredLabel) {
      if (gradient) std::fill_n(row, logits_TV.cols, 0.0f);
      losses[t] = 0.0;
      return;
    }
    const auto label = static_cast<std::size_t>(labels[t]);
    AFTUNE_CHECK(labels[t] >= 0 && label < logits_TV.cols, "label outside the vocabulary");
    losses[t] = row_loss(engine.kernels().elementwise, row, logits_TV.cols, label, factor);
  });

  double sum = 0;
  for (std::size_t t = 0; t < losses.size(); ++t) {
    if (!losses[t]) {
      return Error{Code::kNonFinite, "logits row " + std::to_string(t) + " of " +
                                         std::to_string(losses.size()) + " is not finite"};
    }
    sum += *losses[t];
  }
  const auto mean = static_cast<float>(sum / divisor);
  if (!std::isfinite(mean)) return Error{Code::kNonFinite, "the loss is not finite"};
  return mean;
}

}  // namespace aftune::numerics
