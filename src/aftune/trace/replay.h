// SPDX-License-Identifier: Apache-2.0
// Recomputes one block of the grid from opened inputs and compares everything that leaves it with
// what was committed. The auditor judges with it; rebuilding states that were not stored is the
// same call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aftune/numerics/engine.h"
#include "aftune/trace/openings.h"
#include "aftune/trace/side_inputs.h"

namespace aftune::trace {

enum class MismatchKind { kActivation, kGradient, kLoss, kSquares, kState, kNonFinite };

/// Where two tensors differ first, by flat index.
struct ValueDifference {
  std::uint64_t index = 0;
  std::uint64_t count = 0;  // elements that differ
  float committed = 0, recomputed = 0;
};

/// One committed thing that the replay did not reproduce.
struct Mismatch {
  MismatchKind kind = MismatchKind::kActivation;
  std::uint32_t block = 0;
  std::uint64_t step_block = 0;
  std::uint64_t step = 0;
  std::string what;                       // names edge or tensor, step and micro-batch
  std::string committed, recomputed;      // digests, or hex floats
  std::optional<ValueDifference> values;  // if the committed bytes could be opened
};

/// Shares its arguments' lifetime. Threads: one at a time; computes on the engine's pool.
class Replayer {
 public:
  Replayer(const Contract& contract, const numerics::Engine& engine, SideInputs& inputs,
           const Openings& openings);

  /// Replays the steps of (block, step_block) on `state`, which must be P(block, step_block) and
  /// becomes P(block, step_block + 1). Stops after the first step that has a mismatch.
  /// Returns: what differed; empty if everything that leaves the block equals its commitment.
  /// Errors:  those of Openings and BatchSource.
  Result<std::vector<Mismatch>> replay(std::uint32_t block, std::uint64_t step_block,
                                       train::BlockState& state);

 private:
  struct StepRun;
  Status run_step(StepRun& run);
  Status forward(StepRun& run, std::uint32_t segment, std::uint32_t micro);
  Status backward(StepRun& run, std::uint32_t segment, std::uint32_t micro);
  Status compare_edge(StepRun& run, const train::EdgeId& id, const Tensor& recomputed);
  /// What a run stores must be there, even where a replay has just made the same bytes.
  [[nodiscard]] Status present(const Digest& digest, const std::string& what) const;
  Status compare_squares(StepRun& run);
  Status compare_state(std::uint32_t block, std::uint64_t step_block,
                       const train::BlockState& state, std::vector<Mismatch>& out);

  const Contract& contract_;
  const numerics::Engine& engine_;
  SideInputs& inputs_;
  const Openings& openings_;
  model::Partition partition_;
  Timeline timeline_;
};

}  // namespace aftune::trace
