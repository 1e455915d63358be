// SPDX-License-Identifier: Apache-2.0
// Where a lying provider departs from its contract while it trains. What is not set is honest.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "aftune/train/step.h"

namespace aftune::attack {

using States = std::vector<train::BlockState>;

/// Hooks in the order in which a run comes by them.
struct Lies {
  std::function<void(model::Llama&)> model;  // tables and constants that it computes with
  std::function<void(States&)> start;        // before the first states are committed
  std::function<void(std::uint64_t step, std::vector<model::MicroBatch>&)> batches;
  std::function<void(std::uint64_t step, States&)> before_step;
  std::function<void(const train::EdgeId&, Tensor&)> edge;        // committed and handed on
  std::function<void(const train::EdgeId&, Tensor&)> shown_edge;  // committed only
  /// What it rounds edges to as it hands them on; it commits to the contract's dtype all the same.
  std::optional<Dtype> boundary;
  std::set<std::uint32_t> skipped;  // segments whose activation and gradient copy their input
  std::function<void(std::uint64_t step, train::GradientSquares&)> squares;
  std::function<void(std::uint64_t step, train::StepOutcome&)> clip;  // before the update
  std::function<void(std::uint64_t step, train::TrainSpec&)> update;  // what it practises
  std::function<void(std::uint64_t step, States&)> after_step;
  std::function<void(std::uint64_t step, train::StepOutcome&, std::vector<std::uint64_t>& rows,
                     std::uint64_t& counted)>
      claim;  // what the step's list says
  std::function<void(TensorMap&)> delivered;
  /// Ends the run by an abort in place of this step's entry.
  struct Abort {
    std::uint64_t step;
    std::string cause, reason;
  };
  std::optional<Abort> abort;
};

/// A change that no tolerance would see: 2^-14, up and down in turn.
void add_noise(Tensor& tensor);

}  // namespace aftune::attack
