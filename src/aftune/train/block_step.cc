// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/block_step.h"

#include <cmath>
#include <string>

#include "aftune/base/check.h"
#include "aftune/numerics/update.h"

namespace aftune::train {
namespace {

std::string place(std::uint32_t segment) { return "segment " + std::to_string(segment); }

}  // namespace

BlockStep::BlockStep(const numerics::Engine& engine, const model::Llama& model,
                     const model::Partition& partition, std::uint32_t block, BlockState& state)
    : engine_(engine), model_(model), partition_(partition), block_(block), state_(state) {
  AFTUNE_CHECK(block < partition.block_count, "no such block");
  for (const auto& [name, parameter] : state.parameters) {
    gradients_.emplace(name, Tensor::zeros(parameter.shape()));
  }
}

void BlockStep::begin() {
  tapes_.clear();
  summed_.clear();
}

const model::Segment& BlockStep::own_segment(std::uint32_t segment) const {
  AFTUNE_CHECK(segment < partition_.segments.size(), "no such segment");
  AFTUNE_CHECK(partition_.segments[segment].block == block_, "segment of another block");
  return partition_.segments[segment];
}

Result<model::SegmentOutput> BlockStep::forward(std::uint32_t segment,
                                                const model::MicroBatch& batch, EdgeTensor input) {
  model::SegmentTape tape;
  AFTUNE_TRY(auto output, model::segment_forward(engine_, model_, own_segment(segment),
                                                 state_.view(), batch, std::move(input), &tape)
                              .in(place(segment)));
  const bool is_new = tapes_.emplace(segment, std::move(tape)).second;
  AFTUNE_CHECK(is_new, "forward twice without backward");
  return output;
}

Result<Tensor> BlockStep::backward(std::uint32_t segment, const model::MicroBatch& batch,
                                   const Tensor* d_output) {
  auto tape = tapes_.extract(segment);
  AFTUNE_CHECK(!tape.empty(), "backward without forward");
  // The first term of a sum that starts at +0 is the term: no product is ever -0.
  const bool is_first = summed_.insert(segment).second;
  return model::segment_backward(engine_, model_, own_segment(segment), state_.view(), batch,
                                 std::move(tape.mapped()), d_output, gradients_,
                                 is_first ? numerics::Store::kWrite : numerics::Store::kAdd)
      .in(place(segment));
}

Result<GradientSquares> BlockStep::squares() const {
  GradientSquares squares;
  for (const auto& [name, gradient] : gradients_) {
    const double sum = numerics::sum_of_squares(engine_, gradient.f32());
    if (!std::isfinite(sum)) {
      return Error{Code::kNonFinite, "gradient of " + name + ": non-finite value"};
    }
    squares.emplace(name, sum);
  }
  return squares;
}

Status BlockStep::update(const TrainSpec& spec, std::uint64_t step, float clip) {
  return update_block(engine_, spec.optimizer, learning_rate(spec.schedule, step), step, clip,
                      gradients_, state_);
}

}  // namespace aftune::train
