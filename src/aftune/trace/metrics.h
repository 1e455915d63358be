// SPDX-License-Identifier: Apache-2.0
// metrics.jsonl of a run folder: one line a step, for people. Not part of the evidence.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/base/unique_fd.h"
#include "aftune/trace/trainer.h"

namespace aftune::trace {

/// A line, read back.
struct MetricLine {
  std::uint64_t step = 0, tokens = 0;
  double loss = 0, learning_rate = 0, norm = 0, seconds = 0;
  std::optional<double> eval_loss;  // of the held-out data set after this step
};

/// All whole lines of the file, in order; an unfinished last one is left out.
/// Errors: kNotFound; kInvalidInput for a line that is none, with its number.
Result<std::vector<MetricLine>> read_metrics(const Path& file);

/// Threads: one at a time.
class Metrics {
 public:
  /// Opens the file or makes it; lines of `first_step` and later ones, and what a killed run left
  /// unfinished, are dropped. Errors: kUnavailable.
  static Result<Metrics> open(const Path& file, std::uint64_t first_step);

  /// Errors: kUnavailable.
  Status add(const StepProgress& progress);

 private:
  Metrics(Path file, UniqueFd fd) : file_(std::move(file)), fd_(std::move(fd)) {}

  Path file_;
  UniqueFd fd_;
};

}  // namespace aftune::trace
