// SPDX-License-Identifier: Apache-2.0
// One optimizer step of the whole model: blocks composed, every hand-over shown to an observer.
#pragma once

#include <cstdint>
#include <vector>

#include "aftune/train/block_step.h"

namespace aftune::train {

enum class EdgeKind : std::uint8_t { kActivation, kGradient };

/// One recorded tensor: edge in 1 .. segments-1, [rows * sequence, hidden], of the partition's
/// boundary dtype.
struct EdgeId {
  std::uint64_t step = 0;
  std::uint32_t micro_batch = 0;
  std::uint32_t edge = 0;
  EdgeKind kind = EdgeKind::kActivation;
  friend auto operator<=>(const EdgeId&, const EdgeId&) = default;
};

/// What a step hands over while it runs. Calls come from the training thread, in a fixed order;
/// an error ends the step with that error.
class StepObserver {
 public:
  virtual ~StepObserver() = default;
  virtual Status on_edge(const EdgeId& id, EdgeTensor tensor) = 0;
  /// Before the block's state changes: whoever still reads it must be done on return.
  virtual Status before_update(std::uint32_t block) = 0;
};

struct StepOutcome {
  std::vector<float> losses;  // one a micro-batch: the last edge
  GradientSquares squares;    // of all blocks
  double norm = 0;
  float clip = 1;
  double learning_rate = 0;

  /// The losses' sum in order, one fp32 addition each from +0.
  [[nodiscard]] float loss() const;
};

/// Runs step `step` over `batches` and updates the states in place.
/// Requires: blocks[i] is that of layer block i. Every micro-batch holds the same `counted`.
/// Errors: kNonFinite with the place ("step 7: micro-batch 0: segment 2: ..."), the same on every
///         machine; the observer's, under the same places. The states are unspecified then.
Result<StepOutcome> run_step(const TrainSpec& spec, std::uint64_t step,
                             const model::Partition& partition,
                             const std::vector<model::MicroBatch>& batches,
                             std::vector<BlockStep>& blocks, StepObserver& observer);

}  // namespace aftune::train
