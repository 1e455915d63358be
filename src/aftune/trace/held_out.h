// SPDX-License-Identifier: Apache-2.0
// A held-out data set beside a run: evaluated by the contract's rule from rows to samples, bound by
// nothing. docs/formats/training.md, "Evaluation".
#pragma once

#include <memory>

#include "aftune/trace/side_inputs.h"
#include "aftune/train/block_step.h"
#include "aftune/train/evaluation.h"

namespace aftune::trace {

/// Threads: one at a time.
class HeldOut {
 public:
  /// Borrows the tokenizer, which of an image classifier may be null.
  /// Errors: those of Dataset::load; kInvalidInput for a row that is no sample, naming it, or if no
  ///         token of all counts. Cost: each row is read.
  static Result<HeldOut> open(const Contract& contract, const Path& data,
                              const text::Tokenizer* tokenizer);

  /// Errors: those of train::evaluate.
  Result<train::Evaluation> evaluate(const numerics::Engine& engine, const model::Llama& model,
                                     const model::Partition& partition,
                                     const std::vector<train::BlockState>& states) const;
  [[nodiscard]] const train::StepBatches& samples() const { return *samples_; }

 private:
  HeldOut(std::unique_ptr<text::Dataset> data, std::unique_ptr<train::StepBatches> samples)
      : data_(std::move(data)), samples_(std::move(samples)) {}
  std::unique_ptr<text::Dataset> data_;
  std::unique_ptr<train::StepBatches> samples_;  // borrows data and tokenizer
};

}  // namespace aftune::trace
