// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/trainer_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace aftune::cli {
namespace {

using train::OptimizerKind;
using train::ScheduleKind;

constexpr std::uint64_t kMaxSteps = std::uint64_t{1} << 24;
constexpr std::uint64_t kMaxBatch = std::uint64_t{1} << 16;

struct Name {
  std::string_view name;
  std::string_view group;   // of this tool, which says the same
  std::string_view member;  // of the contract, which it becomes
};
constexpr Name kNames[] = {{"per_device_train_batch_size", "batch", "batch.micro_batch"},
                           {"gradient_accumulation_steps", "batch", "batch.samples"},
                           {"max_steps", "steps", "steps"},
                           {"num_train_epochs", "steps", "steps"},
                           {"optim", "optimizer", "optimizer.kind"},
                           {"weight_decay", "optimizer", "optimizer.weight_decay"},
                           {"adam_beta1", "optimizer", "optimizer.beta1"},
                           {"adam_beta2", "optimizer", "optimizer.beta2"},
                           {"adam_epsilon", "optimizer", "optimizer.epsilon"},
                           {"learning_rate", "schedule", "schedule.peak"},
                           {"lr_scheduler_type", "schedule", "schedule.kind"},
                           {"warmup_steps", "schedule", "schedule.warmup_steps"},
                           {"warmup_ratio", "schedule", "schedule.warmup_steps"},
                           {"max_grad_norm", "clip", "clip.max_norm"}};

/// Names of TrainingArguments that a run cannot follow, and why.
constexpr std::pair<std::string_view, std::string_view> kRefused[] = {
    {"seed", "both sides make the seed (nonces)"},
    {"data_seed", "both sides make the seed (nonces)"},
    {"bf16", "the arithmetic is exact, in fp32"},
    {"fp16", "the arithmetic is exact, in fp32"}};

constexpr std::pair<std::string_view, ScheduleKind> kSchedules[] = {
    {"constant", ScheduleKind::kConstant},
    {"constant_with_warmup", ScheduleKind::kConstantWithWarmup},
    {"cosine", ScheduleKind::kWarmupCosine},
    {"linear", ScheduleKind::kLinear},
    {"warmup_cosine", ScheduleKind::kWarmupCosine}};

/// Notes a default where the key is absent.
void note(const JobReader& job, std::string_view key, std::string_view value, Notes& notes) {
  if (!job.has(key)) notes.push_back(fmt::format("{}: {}", key, value));
}

Result<double> real_or(JobReader& job, std::string_view key, double fallback, Notes& notes) {
  note(job, key, fmt::format("{:g}", fallback), notes);
  return job.real_or(key, fallback);
}

Result<std::uint64_t> steps_of_epochs(JobReader& job, double epochs, std::uint64_t rows,
                                      std::uint64_t batch, bool drop_last) {
  const std::uint64_t whole_batches = rows / batch;
  const double an_epoch = drop_last ? static_cast<double>(whole_batches)
                                    : static_cast<double>(rows) / static_cast<double>(batch);
  const double steps = std::ceil(epochs * an_epoch);
  if (epochs > 0 && steps >= 1 && steps <= static_cast<double>(kMaxSteps)) {
    return static_cast<std::uint64_t>(steps);
  }
  return Error{Code::kInvalidInput,
               fmt::format("{}: {:g} epochs of {} samples, {} a step, are {:g} steps, a run has 1 "
                           "to {}",
                           job.where("num_train_epochs"), epochs, rows, batch, steps, kMaxSteps)};
}

}  // namespace

bool has_trainer_names(const JobReader& job) {
  return std::ranges::any_of(kNames, [&](const Name& name) { return job.has(name.name); });
}

Status check_trainer_names(const JobReader& job) {
  for (const Name& name : kNames) {
    if (!job.has(name.name) || !job.has(name.group)) continue;
    return Error{Code::kInvalidInput,
                 fmt::format("{} stands beside {}: one says it", job.where(name.name), name.group)};
  }
  for (const auto& [name, why] : kRefused) {
    if (!job.has(name)) continue;
    return Error{Code::kInvalidInput,
                 fmt::format("{} is not for the job: {}", job.where(name), why)};
  }
  return ok();
}

std::string key_of_member(const JobReader& job, std::string_view member) {
  for (const Name& name : kNames) {
    if (name.member == member && job.has(name.name)) return std::string(name.name);
  }
  return std::string(member);
}

Result<train::BatchSpec> trainer_batch(JobReader& job, Notes& notes) {
  note(job, "per_device_train_batch_size", "8", notes);
  note(job, "gradient_accumulation_steps", "1", notes);
  train::BatchSpec out;
  AFTUNE_TRY(out.micro_batch, job.count_or("per_device_train_batch_size", 8, 1, kMaxBatch));
  AFTUNE_TRY(const std::uint64_t steps,
             job.count_or("gradient_accumulation_steps", 1, 1, kMaxBatch / out.micro_batch));
  out.batch = out.micro_batch * steps;
  return out;
}

Result<std::uint64_t> trainer_steps(JobReader& job, std::uint64_t rows, std::uint64_t batch,
                                    bool drop_last, Notes& notes) {
  if (job.has("max_steps")) {
    if (job.has("num_train_epochs")) {
      return Error{Code::kInvalidInput,
                   job.where("num_train_epochs") + " stands beside max_steps: one says it"};
    }
    return job.count("max_steps", 1, kMaxSteps);
  }
  AFTUNE_TRY(const double epochs, real_or(job, "num_train_epochs", 3, notes));
  AFTUNE_TRY(const std::uint64_t steps, steps_of_epochs(job, epochs, rows, batch, drop_last));
  notes.push_back(
      fmt::format("steps: {} ({:g} epochs of {} samples, {} a step)", steps, epochs, rows, batch));
  return steps;
}

Result<train::OptimizerSpec> trainer_optimizer(JobReader& job, Notes& notes) {
  note(job, "optim", "adamw_torch", notes);
  AFTUNE_TRY(const std::string name, job.text_or("optim", "adamw_torch"));
  train::OptimizerSpec spec;
  spec.decayed = train::Decayed::kWeights;
  if (name == "adamw_torch" || name == "adamw_torch_fused") {
    AFTUNE_TRY(spec.beta1, real_or(job, "adam_beta1", 0.9, notes));
    AFTUNE_TRY(spec.beta2, real_or(job, "adam_beta2", 0.999, notes));
    AFTUNE_TRY(spec.epsilon, real_or(job, "adam_epsilon", 1e-8, notes));
  } else if (name == "sgd") {
    spec.kind = OptimizerKind::kSgd;
  } else {
    return Error{Code::kInvalidInput,
                 fmt::format("{} is \"{}\", known: adamw_torch, adamw_torch_fused, sgd",
                             job.where("optim"), name)};
  }
  AFTUNE_TRY(spec.weight_decay, real_or(job, "weight_decay", 0, notes));
  if (spec.weight_decay == 0) {
    spec.decayed = train::Decayed::kAll;  // the plainer contract of the same run
  } else {
    notes.emplace_back("optimizer.decayed: weights");
  }
  return spec;
}

Result<train::ScheduleSpec> trainer_schedule(JobReader& job, std::uint64_t steps, Notes& notes) {
  train::ScheduleSpec spec;
  spec.kind = ScheduleKind::kLinear;
  note(job, "lr_scheduler_type", "linear", notes);
  if (job.has("lr_scheduler_type")) {
    AFTUNE_TRY(spec.kind, schedule_kind(job, "lr_scheduler_type"));
  }
  AFTUNE_TRY(spec.peak, real_or(job, "learning_rate", 5e-5, notes));
  if (spec.kind == ScheduleKind::kConstant) return spec;
  AFTUNE_TRY(spec.warmup_steps, warmup_of(job, steps));
  if (spec.kind != ScheduleKind::kConstantWithWarmup) spec.total_steps = steps;
  return spec;
}

Result<double> trainer_max_norm(JobReader& job, Notes& notes) {
  return real_or(job, "max_grad_norm", 1, notes);
}

Result<ScheduleKind> schedule_kind(JobReader& map, std::string_view key) {
  AFTUNE_TRY(const std::string name, map.text(key));
  const auto found = std::ranges::find(kSchedules, std::string_view(name),
                                       &std::pair<std::string_view, ScheduleKind>::first);
  if (found != std::end(kSchedules)) return found->second;
  return Error{Code::kInvalidInput,
               fmt::format("{} is \"{}\", known: constant, constant_with_warmup, cosine, linear",
                           map.where(key), name)};
}

Result<std::uint64_t> warmup_of(JobReader& map, std::uint64_t steps) {
  if (!map.has("warmup_ratio")) return map.count_or("warmup_steps", 0, 0, std::uint64_t{1} << 40);
  if (map.has("warmup_steps")) {
    return Error{Code::kInvalidInput,
                 map.where("warmup_ratio") + " stands beside warmup_steps: one says it"};
  }
  AFTUNE_TRY(const double ratio, map.real("warmup_ratio"));
  if (ratio >= 0 && ratio <= 1) {
    return static_cast<std::uint64_t>(std::ceil(static_cast<double>(steps) * ratio));
  }
  return Error{Code::kInvalidInput,
               fmt::format("{} is {:g}, needs 0 to 1", map.where("warmup_ratio"), ratio)};
}

}  // namespace aftune::cli
