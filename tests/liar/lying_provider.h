// SPDX-License-Identifier: Apache-2.0
// A provider that trains as it likes and then follows the protocol: what it made up is hashed,
// salted, logged, signed and delivered like the truth.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "aftune/trace/side_inputs.h"
#include "aftune/train/step.h"
#include "tiny_world.h"

namespace aftune::liar {

using States = std::vector<train::BlockState>;

/// Where the provider departs from the contract. What is not set is honest.
struct Lies {
  std::function<void(model::Llama&)> model;  // tables and constants that it computes with
  std::function<void(States&)> start;        // before the first states are committed
  std::function<void(std::uint64_t step, std::vector<model::MicroBatch>&)> batches;
  std::function<void(std::uint64_t step, States&)> before_step;
  std::function<void(const train::EdgeId&, Tensor&)> edge;        // committed and handed on
  std::function<void(const train::EdgeId&, Tensor&)> shown_edge;  // committed only
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

/// A run told under the world's contract.
trace::RunFolder tell(const World& world, const Lies& lies);

/// Tells the lie and audits all blocks. The world's honest run is accepted in passing.
audit::Verdict caught(const World& world, const Lies& lies);

/// A change that no tolerance would see.
void add_noise(Tensor& tensor);

}  // namespace aftune::liar
