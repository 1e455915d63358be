// SPDX-License-Identifier: Apache-2.0
// One layer block in one optimizer step: the function that the trainer composes and that the
// auditor calls alone. There is no second implementation.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "aftune/model/segment_function.h"
#include "aftune/train/optimizer.h"

namespace aftune::train {

/// An edge tensor, shared by the step that still needs it and the recorder that hashes it. Of the
/// partition's boundary dtype.
using EdgeTensor = std::shared_ptr<const Tensor>;

/// What both sides agreed about the arithmetic of a step.
struct TrainSpec {
  OptimizerSpec optimizer;
  ScheduleSpec schedule;
  ClipSpec clip;
  model::PhiloxKey moment_key = {};  // by which narrow moments are rounded
};

/// Order of calls in a step: for each micro-batch forward() of the block's segments ascending,
/// then backward() descending; then squares(); then update(), once.
///
/// Threads: one at a time; uses the engine's pool. Memory: gradients of the block, and a tape for
/// each segment between its forward and its backward.
class BlockStep {
 public:
  /// `state` is borrowed and changed in place by update() only.
  BlockStep(const numerics::Engine& engine, const model::Llama& model,
            const model::Partition& partition, std::uint32_t block, BlockState& state);

  /// Forgets the gradients: a new step.
  void begin();

  /// Takes and gives edges as they are handed over: rounded, where the partition says so.
  /// Errors: as segment_forward, prefixed by the segment; kNonFinite where rounding leaves the
  ///         finite numbers.
  Result<model::SegmentOutput> forward(std::uint32_t segment, const model::MicroBatch& batch,
                                       EdgeTensor input);
  /// Requires: forward() of the segment with the same micro-batch came before.
  Result<Tensor> backward(std::uint32_t segment, const model::MicroBatch& batch,
                          const Tensor* d_output);

  /// Errors: kNonFinite, naming the tensor whose sum is not finite.
  Result<GradientSquares> squares() const;

  Status update(const TrainSpec& spec, std::uint64_t step, float clip);

  [[nodiscard]] const TensorMap& gradients() const { return gradients_; }
  [[nodiscard]] const BlockState& state() const { return state_; }

 private:
  [[nodiscard]] const model::Segment& own_segment(std::uint32_t segment) const;

  const numerics::Engine& engine_;
  const model::Llama& model_;
  const model::Partition& partition_;
  std::uint32_t block_;
  BlockState& state_;
  TensorMap gradients_;
  std::map<std::uint32_t, model::SegmentTape> tapes_;
  std::set<std::uint32_t> summed_;  // segments whose gradients hold a term of this step
};

}  // namespace aftune::train
