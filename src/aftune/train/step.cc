// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/step.h"

#include <string>

#include "aftune/base/check.h"

namespace aftune::train {
namespace {

// One step while it runs: what the pieces below share.
struct RunningStep {
  std::uint64_t step;
  const model::Partition& partition;
  std::vector<BlockStep>& blocks;
  StepObserver& observer;

  BlockStep& block_of(std::uint32_t segment) { return blocks[partition.segments[segment].block]; }
};

// Returns the loss.
Result<float> forward(RunningStep& run, std::uint32_t micro_batch, const model::MicroBatch& batch) {
  const auto count = static_cast<std::uint32_t>(run.partition.segments.size());
  EdgeTensor edge;
  for (std::uint32_t s = 0; s < count; ++s) {
    AFTUNE_TRY(auto output, run.block_of(s).forward(s, batch, std::move(edge)));
    if (s + 1 == count) return output.loss;
    edge = std::make_shared<const Tensor>(std::move(output.activation));
    AFTUNE_TRY(run.observer.on_edge({run.step, micro_batch, s + 1, EdgeKind::kActivation}, edge));
  }
  AFTUNE_CHECK(false, "a partition without segments");
}

Status backward(RunningStep& run, std::uint32_t micro_batch, const model::MicroBatch& batch) {
  EdgeTensor gradient;
  for (auto s = static_cast<std::uint32_t>(run.partition.segments.size()); s-- > 0;) {
    AFTUNE_TRY(Tensor d_input, run.block_of(s).backward(s, batch, gradient.get()));
    if (s == 0) break;
    gradient = std::make_shared<const Tensor>(std::move(d_input));
    AFTUNE_TRY(run.observer.on_edge({run.step, micro_batch, s, EdgeKind::kGradient}, gradient));
  }
  return ok();
}

Result<float> run_micro_batch(RunningStep& run, std::uint32_t index,
                              const model::MicroBatch& batch) {
  AFTUNE_TRY(const float loss, forward(run, index, batch));
  AFTUNE_TRY(backward(run, index, batch));
  return loss;
}

Status clip_and_update(const TrainSpec& spec, RunningStep& run, StepOutcome& outcome) {
  for (const BlockStep& block : run.blocks) {
    AFTUNE_TRY(GradientSquares squares, block.squares());
    outcome.squares.merge(squares);
    AFTUNE_CHECK(squares.empty(), "two blocks share a parameter");
  }
  AFTUNE_TRY(const ClipOutcome clip, clip_factor(spec.clip, outcome.squares));
  outcome.norm = clip.norm;
  outcome.clip = clip.factor;
  outcome.learning_rate = learning_rate(spec.schedule, run.step);
  for (std::uint32_t block = 0; block < run.blocks.size(); ++block) {
    AFTUNE_TRY(run.observer.before_update(block));
    AFTUNE_TRY(run.blocks[block].update(spec, run.step, clip.factor));
  }
  return ok();
}

}  // namespace

float StepOutcome::loss() const {
  float sum = 0;
  for (const float loss : losses) sum += loss;
  return sum;
}

Result<StepOutcome> run_step(const TrainSpec& spec, std::uint64_t step,
                             const model::Partition& partition,
                             const std::vector<model::MicroBatch>& batches,
                             std::vector<BlockStep>& blocks, StepObserver& observer) {
  AFTUNE_CHECK(blocks.size() == partition.block_count, "blocks of another partition");
  const std::string place = "step " + std::to_string(step);
  RunningStep run{step, partition, blocks, observer};
  StepOutcome outcome;
  for (BlockStep& block : blocks) block.begin();
  for (std::uint32_t m = 0; m < batches.size(); ++m) {
    AFTUNE_TRY(
        const float loss,
        run_micro_batch(run, m, batches[m]).in(place + ": micro-batch " + std::to_string(m)));
    outcome.losses.push_back(loss);
  }
  AFTUNE_TRY(clip_and_update(spec, run, outcome).in(place));
  return outcome;
}

}  // namespace aftune::train
