// SPDX-License-Identifier: Apache-2.0
// The contract's objects of optimizer, schedule and clipping: docs/formats/training.md.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

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

Error unknown_word(const JsonReader& reader, const char* name, const std::string& word,
                   const char* known) {
  return {Code::kUnsupported,
          reader.path() + "." + name + ": \"" + word + "\", known are " + known};
}

constexpr std::pair<ScheduleKind, std::string_view> kSchedules[] = {
    {ScheduleKind::kConstant, "constant"},
    {ScheduleKind::kConstantWithWarmup, "constant_with_warmup"},
    {ScheduleKind::kLinear, "linear"},
    {ScheduleKind::kWarmupCosine, "warmup_cosine"}};

bool has_warmup(ScheduleKind kind) { return kind != ScheduleKind::kConstant; }
bool has_total(ScheduleKind kind) {
  return kind == ScheduleKind::kWarmupCosine || kind == ScheduleKind::kLinear;
}

Result<std::uint64_t> steps(JsonReader& reader, std::string_view name, std::int64_t min,
                            std::int64_t max) {
  AFTUNE_TRY(const std::int64_t value, reader.integer(name, min, max));
  return static_cast<std::uint64_t>(value);
}

// The two members that need not be there have one spelling each: they are there where they say
// something.
Status read_decayed(JsonReader& reader, OptimizerSpec& spec) {
  if (!reader.has("decayed")) return ok();
  AFTUNE_TRY(const std::string word, reader.string("decayed"));
  if (word != "weights") return unknown_word(reader, "decayed", word, "\"weights\"");
  spec.decayed = Decayed::kWeights;
  return ok();
}

Status read_nesterov(JsonReader& reader, OptimizerSpec& spec) {
  if (!reader.has("nesterov")) return ok();
  AFTUNE_TRY(spec.nesterov, reader.boolean("nesterov"));
  if (spec.nesterov && spec.momentum > 0) return ok();
  return Error{Code::kInvalidInput,
               reader.path() + ".nesterov: " +
                   (spec.nesterov ? "needs a momentum above 0" : "is there only where it is true")};
}

}  // namespace

Json to_contract(const OptimizerSpec& spec) {
  Json::Object out{{"kind", "adamw"}, {"weight_decay", hex_float(spec.weight_decay)}};
  if (spec.kind == OptimizerKind::kSgd) {
    out["kind"] = "sgd";
    out["momentum"] = hex_float(spec.momentum);
    if (spec.nesterov) out["nesterov"] = true;
  } else {
    out["beta1"] = hex_float(spec.beta1);
    out["beta2"] = hex_float(spec.beta2);
    out["epsilon"] = hex_float(spec.epsilon);
  }
  if (spec.decayed == Decayed::kWeights) out["decayed"] = "weights";
  return out;
}

Json to_contract(const ScheduleSpec& spec) {
  Json::Object out{{"peak", hex_float(spec.peak)}};
  for (const auto& [kind, name] : kSchedules) {
    if (kind == spec.kind) out["kind"] = name;
  }
  if (has_warmup(spec.kind)) out["warmup_steps"] = spec.warmup_steps;
  if (has_total(spec.kind)) out["total_steps"] = spec.total_steps;
  return out;
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
    AFTUNE_TRY(read_nesterov(reader, spec));
  } else {
    return unknown_word(reader, "kind", kind, "\"adamw\" and \"sgd\"");
  }
  AFTUNE_TRY(read_decayed(reader, spec));
  AFTUNE_TRY(spec.weight_decay, real(reader, "weight_decay", Range::kNotNegative));
  AFTUNE_TRY(reader.finish());
  return spec;
}

Result<ScheduleSpec> schedule_from_contract(JsonReader& reader) {
  AFTUNE_TRY(const std::string kind, reader.string("kind"));
  const auto known = std::ranges::find(kSchedules, std::string_view(kind),
                                       &std::pair<ScheduleKind, std::string_view>::second);
  if (known == std::end(kSchedules)) {
    return unknown_word(reader, "kind", kind,
                        "\"constant\", \"constant_with_warmup\", \"linear\" and \"warmup_cosine\"");
  }
  ScheduleSpec spec;
  spec.kind = known->first;
  AFTUNE_TRY(spec.peak, real(reader, "peak", Range::kNotNegative));
  std::int64_t longest = kMaxSteps;
  if (has_total(spec.kind)) {
    AFTUNE_TRY(spec.total_steps, steps(reader, "total_steps", 1, kMaxSteps));
    longest = static_cast<std::int64_t>(spec.total_steps);
  }
  if (has_warmup(spec.kind)) {
    AFTUNE_TRY(spec.warmup_steps, steps(reader, "warmup_steps", 0, longest));
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
