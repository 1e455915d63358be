// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "aftune/base/check.h"
#include "aftune/numerics/scalar_math.h"
#include "aftune/numerics/update.h"

namespace aftune::train {
namespace {

constexpr double kPi = 0x1.921fb54442d18p+1;
constexpr double kClipEpsilon = 0x1.0c6f7a0b5ed8dp-20;  // 1e-6

bool keeps_first(const OptimizerSpec& spec) {
  return spec.kind == OptimizerKind::kAdamW || spec.momentum > 0;
}

TensorMap zeros_like(const TensorMap& tensors) {
  TensorMap zeros;
  for (const auto& [name, tensor] : tensors) zeros.emplace(name, Tensor::zeros(tensor.shape()));
  return zeros;
}

Tensor& tensor_of(TensorMap& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  AFTUNE_CHECK(found != tensors.end(), name);
  return found->second;
}

std::span<const float> gradient_of(const TensorMap& gradients, const std::string& name) {
  const auto found = gradients.find(name);
  AFTUNE_CHECK(found != gradients.end(), name);
  return found->second.f32();
}

Status named(const std::string& name, Status status) {
  if (status || status.error().code != Code::kNonFinite) return status;
  return Error{Code::kNonFinite, "update of " + name + ": non-finite value"};
}

}  // namespace

double learning_rate(const ScheduleSpec& schedule, std::uint64_t step) {
  if (schedule.kind == ScheduleKind::kConstant) return schedule.peak;
  if (step < schedule.warmup_steps) {
    return schedule.peak * (static_cast<double>(step) / static_cast<double>(schedule.warmup_steps));
  }
  if (step >= schedule.total_steps) return 0;
  const double progress = static_cast<double>(step - schedule.warmup_steps) /
                          static_cast<double>(schedule.total_steps - schedule.warmup_steps);
  return schedule.peak * std::max(0.0, 0.5 * (1.0 + numerics::exact_cos(kPi * progress)));
}

Result<ClipOutcome> clip_factor(const ClipSpec& clip, const GradientSquares& all) {
  double sum = 0;
  for (const auto& [name, squares] : all) sum += squares;
  const double norm = std::sqrt(sum);
  if (!std::isfinite(norm)) return Error{Code::kNonFinite, "gradient norm: non-finite value"};
  if (clip.max_norm == 0) return ClipOutcome{norm, 1};
  const double factor = std::min(1.0, clip.max_norm / (norm + kClipEpsilon));
  return ClipOutcome{norm, static_cast<float>(factor)};
}

BlockState initial_state(const OptimizerSpec& spec, TensorMap parameters) {
  BlockState state;
  if (keeps_first(spec)) state.first = zeros_like(parameters);
  if (spec.kind == OptimizerKind::kAdamW) state.second = zeros_like(parameters);
  state.parameters = std::move(parameters);
  return state;
}

Status update_block(const numerics::Engine& engine, const OptimizerSpec& spec, double lr,
                    std::uint64_t step, float clip, const TensorMap& gradients, BlockState& state) {
  if (spec.kind == OptimizerKind::kAdamW) {
    const auto scalars = numerics::adamw_scalars(lr, spec.beta1, spec.beta2, spec.epsilon,
                                                 spec.weight_decay, step + 1, clip);
    for (auto& [name, parameter] : state.parameters) {
      AFTUNE_TRY(named(name, numerics::adamw(engine, scalars, gradient_of(gradients, name),
                                             parameter.f32(), tensor_of(state.first, name).f32(),
                                             tensor_of(state.second, name).f32())));
    }
    return ok();
  }
  const numerics::SgdScalars scalars{clip, static_cast<float>(lr),
                                     static_cast<float>(spec.weight_decay),
                                     static_cast<float>(spec.momentum)};
  for (auto& [name, parameter] : state.parameters) {
    std::span<float> buffer;
    if (keeps_first(spec)) buffer = tensor_of(state.first, name).f32();
    AFTUNE_TRY(named(name, numerics::sgd(engine, scalars, gradient_of(gradients, name),
                                         parameter.f32(), buffer)));
  }
  return ok();
}

}  // namespace aftune::train
