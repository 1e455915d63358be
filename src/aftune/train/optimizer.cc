// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "aftune/base/check.h"
#include "aftune/base/endian.h"
#include "aftune/crypto/blake3.h"
#include "aftune/numerics/narrow_update.h"
#include "aftune/numerics/scalar_math.h"
#include "aftune/numerics/update.h"

namespace aftune::train {
namespace {

constexpr double kPi = 0x1.921fb54442d18p+1;
constexpr double kClipEpsilon = 0x1.0c6f7a0b5ed8dp-20;  // 1e-6

bool keeps_first(const OptimizerSpec& spec) {
  return spec.kind == OptimizerKind::kAdamW || spec.momentum > 0;
}

TensorMap zeros_like(const TensorMap& tensors, Dtype dtype) {
  TensorMap zeros;
  for (const auto& [name, tensor] : tensors) zeros.emplace(name, Tensor(dtype, tensor.shape()));
  return zeros;
}

/// The elements of a BF16 tensor.
std::span<std::uint16_t> halves(Tensor& tensor) {
  return {reinterpret_cast<std::uint16_t*>(tensor.mutable_bytes().data()), tensor.count()};
}

numerics::MomentRounding rounding_of(const std::string& name, const UpdateRule& rule) {
  const Digest digest = crypto::blake3(as_bytes(name));
  return {rule.moment_key, load_le<std::uint32_t>(digest.bytes.data()),
          static_cast<std::uint32_t>(rule.step)};
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
  const auto real = [](std::uint64_t count) { return static_cast<double>(count); };
  const double peak = schedule.peak;
  const std::uint64_t warmup = schedule.warmup_steps, total = schedule.total_steps;
  if (schedule.kind == ScheduleKind::kConstant) return peak;
  if (step < warmup) return peak * (real(step) / real(warmup));
  if (schedule.kind == ScheduleKind::kConstantWithWarmup) return peak;
  if (step >= total) return 0;
  if (schedule.kind == ScheduleKind::kLinear) {
    return peak * (real(total - step) / real(total - warmup));
  }
  const double progress = real(step - warmup) / real(total - warmup);
  return peak * std::max(0.0, 0.5 * (1.0 + numerics::exact_cos(kPi * progress)));
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

bool is_decayed(const OptimizerSpec& spec, std::string_view name) {
  if (spec.decayed == Decayed::kAll) return true;
  const std::size_t last = name.rfind('.');
  if (name.substr(last + 1) == "bias") return false;
  if (last == std::string_view::npos) return true;
  const std::string_view module = name.substr(0, last);
  return module.substr(module.rfind('.') + 1).find("norm") == std::string_view::npos;
}

BlockState initial_state(const OptimizerSpec& spec, TensorMap parameters, Dtype moments) {
  BlockState state;
  if (keeps_first(spec)) state.first = zeros_like(parameters, moments);
  if (spec.kind == OptimizerKind::kAdamW) state.second = zeros_like(parameters, moments);
  state.parameters = std::move(parameters);
  return state;
}

namespace {

Status update_adamw(const numerics::Engine& engine, const numerics::AdamWScalars& scalars,
                    const UpdateRule& rule, const TensorMap& gradients, const std::string& name,
                    BlockState& state) {
  const std::span<float> parameter = tensor_of(state.parameters, name).f32();
  const std::span<const float> gradient = gradient_of(gradients, name);
  Tensor& m = tensor_of(state.first, name);
  Tensor& v = tensor_of(state.second, name);
  AFTUNE_CHECK(m.dtype() == v.dtype(), name);
  if (m.dtype() == Dtype::kF32) {
    return numerics::adamw(engine, scalars, gradient, parameter, m.f32(), v.f32());
  }
  AFTUNE_CHECK(m.dtype() == Dtype::kBF16, name);
  return numerics::adamw_bf16(engine, scalars, rounding_of(name, rule), gradient, parameter,
                              halves(m), halves(v));
}

Status update_sgd(const numerics::Engine& engine, const numerics::SgdScalars& scalars,
                  const TensorMap& gradients, const std::string& name, BlockState& state) {
  const std::span<float> parameter = tensor_of(state.parameters, name).f32();
  const std::span<const float> gradient = gradient_of(gradients, name);
  if (scalars.momentum == 0) return numerics::sgd(engine, scalars, gradient, parameter, {});
  Tensor& buffer = tensor_of(state.first, name);
  if (buffer.dtype() == Dtype::kF32) {
    return numerics::sgd(engine, scalars, gradient, parameter, buffer.f32());
  }
  AFTUNE_CHECK(buffer.dtype() == Dtype::kBF16, name);
  return numerics::sgd_bf16(engine, scalars, gradient, parameter, halves(buffer));
}

}  // namespace

Status update_block(const numerics::Engine& engine, const OptimizerSpec& spec,
                    const UpdateRule& rule, const TensorMap& gradients, BlockState& state) {
  if (spec.kind == OptimizerKind::kAdamW) {
    const auto scalars_with = [&](double weight_decay) {
      return numerics::adamw_scalars(rule.learning_rate, spec.beta1, spec.beta2, spec.epsilon,
                                     weight_decay, rule.step + 1, rule.clip);
    };
    const auto decayed = scalars_with(spec.weight_decay), plain = scalars_with(0);
    for (const auto& [name, parameter] : state.parameters) {
      const auto& scalars = is_decayed(spec, name) ? decayed : plain;
      AFTUNE_TRY(named(name, update_adamw(engine, scalars, rule, gradients, name, state)));
    }
    return ok();
  }
  numerics::SgdScalars scalars{rule.clip, static_cast<float>(rule.learning_rate), 0,
                               static_cast<float>(spec.momentum), spec.nesterov};
  for (const auto& [name, parameter] : state.parameters) {
    scalars.decay = is_decayed(spec, name) ? static_cast<float>(spec.weight_decay) : 0;
    AFTUNE_TRY(named(name, update_sgd(engine, scalars, gradients, name, state)));
  }
  return ok();
}

}  // namespace aftune::train
