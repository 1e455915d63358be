// SPDX-License-Identifier: Apache-2.0
// Micro-batches of each step, whatever the samples are: the side inputs that an auditor computes
// for itself and never reads from a trace.
#pragma once

#include <cstdint>
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
};

}  // namespace aftune::train
