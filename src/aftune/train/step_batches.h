// SPDX-License-Identifier: Apache-2.0
// Micro-batches of each step and of all samples, whatever these are: the side inputs that an
// auditor computes for itself and never reads from a trace.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "aftune/model/segment_function.h"

namespace aftune::train {

/// Threads: one at a time.
class StepBatches {
 public:
  virtual ~StepBatches() = default;

  /// The rows of a step, in order.
  [[nodiscard]] virtual std::vector<std::uint64_t> rows(std::uint64_t step) = 0;
  /// Its micro-batches; `counted` is that of the whole step in each.
  /// Errors: kInvalidInput for a malformed row, naming it, or a step without a counted label.
  virtual Result<std::vector<model::MicroBatch>> micro_batches(std::uint64_t step) = 0;
  /// Whether micro_batches() gives a value for each of the first `steps` steps: a run should not
  /// find out half-way. Errors: those of micro_batches(). Cost: each row is read once.
  virtual Status check_steps(std::uint64_t steps) = 0;

  /// How many samples an epoch has, and how many a micro-batch.
  [[nodiscard]] virtual std::uint64_t sample_count() const = 0;
  [[nodiscard]] virtual std::uint64_t at_a_time() const = 0;
  /// These samples in one micro-batch, which counts their own labels.
  /// Errors: kInvalidInput for a malformed row, naming it.
  [[nodiscard]] virtual Result<model::MicroBatch> batch_of(
      std::span<const std::uint64_t> samples) const = 0;
};

}  // namespace aftune::train
