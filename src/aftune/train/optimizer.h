// SPDX-License-Identifier: Apache-2.0
// Optimizer, schedule and clipping as the contract states them. Rules: docs/formats/training.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "aftune/base/result.h"
#include "aftune/codec/json.h"
#include "aftune/codec/json_reader.h"
#include "aftune/model/lora.h"
#include "aftune/model/parameter_view.h"
#include "aftune/numerics/engine.h"
#include "aftune/tensor/tensor_map.h"

namespace aftune::train {

enum class OptimizerKind { kAdamW, kSgd };

/// What weight decay applies to: docs/formats/training.md, "Update".
enum class Decayed { kAll, kWeights };

struct OptimizerSpec {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double beta1 = 0, beta2 = 0, epsilon = 0;  // AdamW
  double momentum = 0;                       // SGD
  double weight_decay = 0;
  Decayed decayed = Decayed::kAll;
  bool nesterov = false;  // SGD with momentum
  friend bool operator==(const OptimizerSpec&, const OptimizerSpec&) = default;
};

enum class ScheduleKind { kConstant, kWarmupCosine, kConstantWithWarmup, kLinear };

struct ScheduleSpec {
  ScheduleKind kind = ScheduleKind::kConstant;
  double peak = 0;                 // learning rate
  std::uint64_t warmup_steps = 0;  // linear from 0, as Hugging Face's schedule: step / warmup
  std::uint64_t total_steps = 0;   // cosine and linear reach 0 here
  friend bool operator==(const ScheduleSpec&, const ScheduleSpec&) = default;
};

struct ClipSpec {
  double max_norm = 0;  // 0: no clipping
  friend bool operator==(const ClipSpec&, const ClipSpec&) = default;
};

/// The learning rate of `step` (from 0), by + - * / and exact_cos in fp64.
double learning_rate(const ScheduleSpec& schedule, std::uint64_t step);

/// Sum of squares of each parameter tensor's gradient, by name.
using GradientSquares = std::map<std::string, double, std::less<>>;

struct ClipOutcome {
  double norm = 0;   // sqrt of the sum in ascending name order
  float factor = 1;  // min(1, max_norm / (norm + 1e-6)) in fp64, rounded once
};
/// Errors: kNonFinite if the norm is not finite.
Result<ClipOutcome> clip_factor(const ClipSpec& clip, const GradientSquares& all);

/// What is trained of one layer block, with its optimizer state, and what is not.
struct BlockState {
  TensorMap parameters;
  TensorMap first;   // AdamW's m, SGD's momentum buffer; empty for plain SGD. kF32 or kBF16
  TensorMap second;  // AdamW's v; else empty. As `first`
  /// The base's tensors beside adapters, shared by all states of the block; else null. Matrices may
  /// be narrow: docs/formats/lora.md, "A narrow base".
  std::shared_ptr<const TensorMap> frozen = nullptr;

  [[nodiscard]] model::ParameterView view() const { return {parameters, frozen.get()}; }
};

/// Whether weight decay applies to the parameter of that name.
bool is_decayed(const OptimizerSpec& spec, std::string_view name);

/// Zero moments of the kind that `spec` asks for beside `parameters`: of dtype kF32 or kBF16.
BlockState initial_state(const OptimizerSpec& spec, TensorMap parameters,
                         Dtype moments = Dtype::kF32);

/// What an update follows from besides gradients and state.
struct UpdateRule {
  double learning_rate = 0;
  std::uint64_t step = 0;  // from 0
  float clip = 1;
  model::PhiloxKey moment_key = {};  // of narrow moments
};

/// One update in place; moments are of the type that they have. Errors: kNonFinite, naming the
/// tensor.
Status update_block(const numerics::Engine& engine, const OptimizerSpec& spec,
                    const UpdateRule& rule, const TensorMap& gradients, BlockState& state);

/// The contract's objects, both ways; the readers refuse members that they do not know.
/// Errors: kInvalidInput naming the member; kUnsupported for an unknown kind.
codec::Json to_contract(const OptimizerSpec& spec);
codec::Json to_contract(const ScheduleSpec& spec);
codec::Json to_contract(const ClipSpec& spec);
Result<OptimizerSpec> optimizer_from_contract(codec::JsonReader& reader);
Result<ScheduleSpec> schedule_from_contract(codec::JsonReader& reader);
Result<ClipSpec> clip_from_contract(codec::JsonReader& reader);

}  // namespace aftune::train
