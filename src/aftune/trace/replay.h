// SPDX-License-Identifier: Apache-2.0
// Recomputes blocks of the grid from opened inputs and compares everything that leaves them with
// what was committed. The auditor judges with it; rebuilding what was not stored is the same call.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "aftune/numerics/engine.h"
#include "aftune/trace/openings.h"
#include "aftune/trace/rebuild_plan.h"
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

/// Gets what a replay made and found equal to its commitment. An error ends the replay with it.
class RebuiltSink {
 public:
  virtual ~RebuiltSink() = default;
  virtual Status on_edge(const train::EdgeId& id, const Digest& digest, const Tensor& tensor) = 0;
  virtual Status on_state(const GridBlock& at, const StateList& list,
                          const train::BlockState& state) = 0;
};

/// A layer block of a group and its state.
struct GroupMember {
  std::uint32_t block = 0;
  train::BlockState* state = nullptr;
};

/// Shares its arguments' lifetime. Threads: one at a time; computes on the engine's pool.
class Replayer {
 public:
  Replayer(const Contract& contract, const numerics::Engine& engine, SideInputs& inputs,
           const Openings& openings, RebuiltSink* sink = nullptr);

  /// Replays the steps of a step block on the states of a group's blocks, which must be
  /// P(block, step_block) and become P(block, step_block + 1). An edge that is in the store is
  /// opened; one that is not is taken from the group, once it equals its commitment. Stops after
  /// the first step that has a mismatch, and before it where a mismatch is what a block takes.
  /// Requires: blocks ascending, none twice.
  /// Returns: what differed; empty if everything that leaves each block equals its commitment.
  /// Errors:  those of Openings, BatchSource and the sink.
  Result<std::vector<Mismatch>> replay(std::uint64_t step_block,
                                       const std::vector<GroupMember>& group);
  /// A group of one.
  Result<std::vector<Mismatch>> replay(std::uint32_t block, std::uint64_t step_block,
                                       train::BlockState& state);

  /// The layer block that the last replay was at: where an error came from.
  [[nodiscard]] std::uint32_t at_work() const { return at_work_; }

  /// Objects that the grid stores, that a replay made, and that are not in the store.
  [[nodiscard]] std::uint64_t not_handed_over() const { return not_handed_over_.size(); }

 private:
  struct StepRun;
  Status run_step(StepRun& run);
  Status run_micro_batch(StepRun& run, std::uint32_t micro);
  Status forward(StepRun& run, std::uint32_t segment, std::uint32_t micro);
  Status backward(StepRun& run, std::uint32_t segment, std::uint32_t micro);
  Result<train::EdgeTensor> take_edge(StepRun& run, const train::EdgeId& id);
  Status compare_edge(StepRun& run, const train::EdgeId& id, Tensor recomputed);
  /// Counts an object of the grid's store that is not there.
  void look_for(const Digest& digest);
  Status compare_squares(StepRun& run, const GroupMember& member);
  Status compare_state(const GridBlock& at, const train::BlockState& state,
                       std::vector<Mismatch>& out);

  const Contract& contract_;
  const numerics::Engine& engine_;
  SideInputs& inputs_;
  const Openings& openings_;
  RebuiltSink* const sink_;
  model::Partition partition_;
  Timeline timeline_;
  std::uint32_t at_work_ = 0;
  std::set<Digest> not_handed_over_;
};

}  // namespace aftune::trace
