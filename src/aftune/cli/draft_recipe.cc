// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/draft_recipe.h"

#include <fmt/format.h>

#include <cmath>

#include "aftune/cli/trainer_names.h"

namespace aftune::cli {
namespace {

constexpr std::uint64_t kMany = std::uint64_t{1} << 40;
constexpr std::uint64_t kMaxSteps = std::uint64_t{1} << 24;

using train::OptimizerKind;
using train::ScheduleKind;

/// What the readers of the parts share.
struct Reading {
  JobReader& job;
  std::uint64_t rows;
  std::vector<std::string>& notes;
  bool by_trainer;  // what is left out is as Trainer has it
  Recipe out;

  /// Whether the part is given by, or left to, the names of TrainingArguments.
  [[nodiscard]] bool trainer_has(std::string_view group) const {
    return by_trainer && !job.has(group);
  }
  /// A number of a group, or the default, which is noted.
  Result<double> real_or(JobReader& map, std::string_view group, std::string_view key,
                         double fallback) {
    if (!map.has(key)) notes.push_back(fmt::format("{}.{}: {:g}", group, key, fallback));
    return map.real_or(key, fallback);
  }
};

Status read_order(Reading& r) {
  AFTUNE_TRY(JobReader map, r.job.map_or_empty("order"));
  AFTUNE_TRY(r.out.order.shuffle, map.text_or("shuffle", "sha256"));
  AFTUNE_TRY(r.out.order.drop_last, map.boolean_or("drop_last", true));
  AFTUNE_TRY(map.finish());
  if (!map.has("shuffle")) r.notes.emplace_back("order.shuffle: sha256");
  if (!r.job.has("dataloader_drop_last")) {
    if (!map.has("drop_last")) r.notes.emplace_back("order.drop_last: true");
    return ok();
  }
  if (map.has("drop_last")) {
    return Error{Code::kInvalidInput, r.job.where("dataloader_drop_last") +
                                          " stands beside order.drop_last: one says it"};
  }
  AFTUNE_TRY(r.out.order.drop_last, r.job.boolean("dataloader_drop_last"));
  return ok();
}

Status read_batch(Reading& r) {
  train::BatchSpec& batch = r.out.batch;
  if (r.trainer_has("batch")) {
    AFTUNE_TRY(batch, trainer_batch(r.job, r.notes));
    return ok();
  }
  AFTUNE_TRY(JobReader map, r.job.map("batch"));
  AFTUNE_TRY(batch.batch, map.count("samples", 1, kMany));
  AFTUNE_TRY(batch.micro_batch, map.count_or("micro_batch", batch.batch, 1, batch.batch));
  if (!map.has("micro_batch")) r.notes.emplace_back("batch.micro_batch: all samples at once");
  return map.finish();
}

Status read_steps(Reading& r) {
  if (r.trainer_has("steps")) {
    AFTUNE_TRY(r.out.steps,
               trainer_steps(r.job, r.rows, r.out.batch.batch, r.out.order.drop_last, r.notes));
    return ok();
  }
  AFTUNE_TRY(r.out.steps, r.job.count("steps", 1, kMaxSteps));
  return ok();
}

Result<train::Decayed> read_decayed(JobReader& map) {
  AFTUNE_TRY(const std::string word, map.text_or("decayed", "all"));
  if (word == "all") return train::Decayed::kAll;
  if (word == "weights") return train::Decayed::kWeights;
  return Error{Code::kInvalidInput,
               fmt::format("{} is \"{}\", known: all, weights", map.where("decayed"), word)};
}

Status read_optimizer(Reading& r) {
  train::OptimizerSpec& spec = r.out.training.optimizer;
  if (r.trainer_has("optimizer")) {
    AFTUNE_TRY(spec, trainer_optimizer(r.job, r.notes));
    return ok();
  }
  AFTUNE_TRY(JobReader map, r.job.map("optimizer"));
  AFTUNE_TRY(const std::string kind, map.text("kind"));
  if (kind == "adamw") {
    spec.kind = OptimizerKind::kAdamW;
    AFTUNE_TRY(spec.beta1, r.real_or(map, "optimizer", "beta1", 0.9));
    AFTUNE_TRY(spec.beta2, r.real_or(map, "optimizer", "beta2", 0.999));
    AFTUNE_TRY(spec.epsilon, r.real_or(map, "optimizer", "epsilon", 1e-8));
  } else if (kind == "sgd") {
    spec.kind = OptimizerKind::kSgd;
    AFTUNE_TRY(spec.momentum, r.real_or(map, "optimizer", "momentum", 0));
    AFTUNE_TRY(spec.nesterov, map.boolean_or("nesterov", false));
  } else {
    return Error{Code::kInvalidInput,
                 fmt::format("{} is \"{}\", known: adamw, sgd", map.where("kind"), kind)};
  }
  AFTUNE_TRY(spec.weight_decay, r.real_or(map, "optimizer", "weight_decay", 0));
  AFTUNE_TRY(spec.decayed, read_decayed(map));
  AFTUNE_TRY(r.out.moments, rounded_dtype(map, "moments"));
  return map.finish();
}

Status read_schedule(Reading& r) {
  train::ScheduleSpec& spec = r.out.training.schedule;
  if (r.trainer_has("schedule")) {
    AFTUNE_TRY(spec, trainer_schedule(r.job, r.out.steps, r.notes));
    return ok();
  }
  AFTUNE_TRY(JobReader map, r.job.map("schedule"));
  AFTUNE_TRY(spec.kind, schedule_kind(map, "kind"));
  AFTUNE_TRY(spec.peak, map.real("peak"));
  if (spec.kind != ScheduleKind::kConstant) {
    AFTUNE_TRY(spec.warmup_steps, warmup_of(map, r.out.steps));
  }
  if (spec.kind == ScheduleKind::kWarmupCosine || spec.kind == ScheduleKind::kLinear) {
    AFTUNE_TRY(spec.total_steps, map.count_or("total_steps", r.out.steps, 1, kMany));
    if (!map.has("total_steps")) {
      r.notes.push_back(fmt::format("schedule.total_steps: {}", spec.total_steps));
    }
  }
  return map.finish();
}

Status read_clip(Reading& r) {
  double& max_norm = r.out.training.clip.max_norm;
  if (r.trainer_has("clip")) {
    AFTUNE_TRY(max_norm, trainer_max_norm(r.job, r.notes));
    return ok();
  }
  AFTUNE_TRY(JobReader map, r.job.map_or_empty("clip"));
  AFTUNE_TRY(max_norm, r.real_or(map, "clip", "max_norm", 0));
  return map.finish();
}

Status read_sizes(Reading& r) {
  AFTUNE_TRY(check_trainer_names(r.job));
  AFTUNE_TRY(read_order(r));
  AFTUNE_TRY(read_batch(r));
  AFTUNE_TRY(read_steps(r));
  return read_optimizer(r);
}

}  // namespace

Result<Recipe> draft_sizes(JobReader& job, std::uint64_t rows) {
  std::vector<std::string> unused;
  Reading r{job, rows, unused, has_trainer_names(job), {}};
  AFTUNE_TRY(read_sizes(r));
  return std::move(r.out);
}

Result<Recipe> draft_recipe(JobReader& job, std::uint64_t rows, std::vector<std::string>& notes) {
  Reading r{job, rows, notes, has_trainer_names(job), {}};
  AFTUNE_TRY(read_sizes(r));
  AFTUNE_TRY(read_schedule(r));
  AFTUNE_TRY(read_clip(r));
  return std::move(r.out);
}

bool counts_epochs(const JobReader& job) {
  return has_trainer_names(job) && !job.has("steps") && !job.has("max_steps");
}

}  // namespace aftune::cli
