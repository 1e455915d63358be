// SPDX-License-Identifier: Apache-2.0
// What a job says about order, batches, steps, optimizer, schedule and clipping: by the groups of
// this tool or by the names of Hugging Face's TrainingArguments. docs/guides/job.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aftune/cli/job_reader.h"
#include "aftune/text/sample_order.h"
#include "aftune/train/batch_source.h"
#include "aftune/train/block_step.h"

namespace aftune::cli {

struct Recipe {
  text::OrderRule order;
  train::BatchSpec batch;
  std::uint64_t steps = 0;
  train::TrainSpec training;
  Dtype moments = Dtype::kF32;  // of the optimizer
};

/// `rows` is the number of samples of an epoch; adds to `notes` what the job left open.
/// Errors: kInvalidInput naming file, line and key.
Result<Recipe> draft_recipe(JobReader& job, std::uint64_t rows, std::vector<std::string>& notes);

/// The same without schedule and clipping: what a plan needs.
Result<Recipe> draft_sizes(JobReader& job, std::uint64_t rows);

/// Whether the steps follow from a number of epochs, and so from the data set.
[[nodiscard]] bool counts_epochs(const JobReader& job);

}  // namespace aftune::cli
