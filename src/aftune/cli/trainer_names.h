// SPDX-License-Identifier: Apache-2.0
// The names of Hugging Face's TrainingArguments in a job file, with its defaults.
// docs/guides/job.md, "By the names of TrainingArguments".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aftune/cli/job_reader.h"
#include "aftune/train/batch_source.h"
#include "aftune/train/optimizer.h"

namespace aftune::cli {

/// Whether the job has any of the names.
[[nodiscard]] bool has_trainer_names(const JobReader& job);
/// Errors: kInvalidInput for a name beside the group of this tool that says the same, and for one
///         that no run can follow.
Status check_trainer_names(const JobReader& job);

/// The key of the job that became a member of the contract ("schedule.peak").
[[nodiscard]] std::string key_of_member(const JobReader& job, std::string_view member);

// Each adds to `notes` what the job left to the default. Errors: kInvalidInput, naming the key.
using Notes = std::vector<std::string>;
Result<train::BatchSpec> trainer_batch(JobReader& job, Notes& notes);
/// `max_steps`, or the steps of so many epochs of `rows` samples.
Result<std::uint64_t> trainer_steps(JobReader& job, std::uint64_t rows, std::uint64_t batch,
                                    bool drop_last, Notes& notes);
Result<train::OptimizerSpec> trainer_optimizer(JobReader& job, Notes& notes);
Result<train::ScheduleSpec> trainer_schedule(JobReader& job, std::uint64_t steps, Notes& notes);
Result<double> trainer_max_norm(JobReader& job, Notes& notes);

/// The schedule by its name there; `warmup_cosine` is `cosine`.
Result<train::ScheduleKind> schedule_kind(JobReader& map, std::string_view key);
/// `warmup_steps`, or the steps of `warmup_ratio`, rounded up; 0 without either.
Result<std::uint64_t> warmup_of(JobReader& map, std::uint64_t steps);

}  // namespace aftune::cli
