// SPDX-License-Identifier: Apache-2.0
// The contract's objects of optimizer, schedule and clipping: docs/formats/training.md.
#include <cmath>
#include <string>

#include "aftune/train/optimizer.h"

namespace aftune::train {
namespace {

using codec::hex_float;
using codec::Json;
using codec::JsonReader;

constexpr std::int64_t kMaxSteps = std::int64_t{1} << 40;

enum class Range { kNotNegative, kPositive, kBelowOne };

// A finite real in `range`; a minus sign is refused even on zero, which has one spelling.
Result<double> real(JsonReader& reader, std::string_view name, Range range) {
  AFTUNE_TRY(const double value, reader.hex_real(name));
  const std::string place = reader.path() + "." + std::string(name) + ": ";
  const auto refuse = [&](const char* why) {
    return Error{Code::kInvalidInput, place + hex_float(value) + why};
  };
  if (!std::isfinite(value)) return refuse(" is not finite");
  if (std::signbit(value)) return refuse(" has a minus sign");
  if (range == Range::kPositive && value == 0) return refuse(" is not above 0");
  if (range == Range::kBelowOne && value >= 1) return refuse(" is not below 1");
  return value;
}

Error unknown_kind(const JsonReader& reader, const std::string& kind, const char* known) {
  return {Code::kUnsupported, reader.path() + ".kind: \"" + kind + "\", known are " + known};
}

Result<std::uint64_t> steps(JsonReader& reader, std::string_view name, std::int64_t min,
                            std::int64_t max) {
  AFTUNE_TRY(const std::int64_t value, reader.integer(name, min, max));
  return static_cast<std::uint64_t>(value);
}

}  // namespace

Json to_contract(const OptimizerSpec& spec) {
  if (spec.kind == OptimizerKind::kSgd) {
    return Json::Object{{"kind", "sgd"},
                        {"momentum", hex_float(spec.momentum)},
                        {"weight_decay", hex_float(spec.weight_decay)}};
  }
  return Json::Object{{"kind", "adamw"},
                      {"beta1", hex_float(spec.beta1)},
                      {"beta2", hex_float(spec.beta2)},
                      {"epsilon", hex_float(spec.epsilon)},
                      {"weight_decay", hex_float(spec.weight_decay)}};
}

Json to_contract(const ScheduleSpec& spec) {
  if (spec.kind == ScheduleKind::kConstant) {
    return Json::Object{{"kind", "constant"}, {"peak", hex_float(spec.peak)}};
  }
  return Json::Object{{"kind", "warmup_cosine"},
                      {"peak", hex_float(spec.peak)},
                      {"warmup_steps", spec.warmup_steps},
                      {"total_steps", spec.total_steps}};
}

Json to_contract(const ClipSpec& spec) {
  return Json::Object{{"max_norm", hex_float(spec.max_norm)}};
}

Result<OptimizerSpec> optimizer_from_contract(JsonReader& reader) {
  AFTUNE_TRY(const std::string kind, reader.string("kind"));
  OptimizerSpec spec;
  if (kind == "adamw") {
    spec.kind = OptimizerKind::kAdamW;
    AFTUNE_TRY(spec.beta1, real(reader, "beta1", Range::kBelowOne));
    AFTUNE_TRY(spec.beta2, real(reader, "beta2", Range::kBelowOne));
    AFTUNE_TRY(spec.epsilon, real(reader, "epsilon", Range::kPositive));
  } else if (kind == "sgd") {
    spec.kind = OptimizerKind::kSgd;
    AFTUNE_TRY(spec.momentum, real(reader, "momentum", Range::kBelowOne));
  } else {
    return unknown_kind(reader, kind, "\"adamw\" and \"sgd\"");
  }
  AFTUNE_TRY(spec.weight_decay, real(reader, "weight_decay", Range::kNotNegative));
  AFTUNE_TRY(reader.finish());
  return spec;
}

Result<ScheduleSpec> schedule_from_contract(JsonReader& reader) {
  AFTUNE_TRY(const std::string kind, reader.string("kind"));
  ScheduleSpec spec;
  AFTUNE_TRY(spec.peak, real(reader, "peak", Range::kNotNegative));
  if (kind == "warmup_cosine") {
    spec.kind = ScheduleKind::kWarmupCosine;
    AFTUNE_TRY(spec.total_steps, steps(reader, "total_steps", 1, kMaxSteps));
    AFTUNE_TRY(spec.warmup_steps,
               steps(reader, "warmup_steps", 0, static_cast<std::int64_t>(spec.total_steps)));
  } else if (kind == "constant") {
    spec.kind = ScheduleKind::kConstant;
  } else {
    return unknown_kind(reader, kind, "\"constant\" and \"warmup_cosine\"");
  }
  AFTUNE_TRY(reader.finish());
  return spec;
}

Result<ClipSpec> clip_from_contract(JsonReader& reader) {
  ClipSpec spec;
  AFTUNE_TRY(spec.max_norm, real(reader, "max_norm", Range::kNotNegative));
  AFTUNE_TRY(reader.finish());
  return spec;
}

}  // namespace aftune::train
