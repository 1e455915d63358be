// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/block_step.h"

#include <cmath>
#include <string>

#include "aftune/base/check.h"
#include "aftune/numerics/update.h"
#include "aftune/tensor/narrow.h"

namespace aftune::train {
namespace {

std::string place(std::uint32_t segment) { return "segment " + std::to_string(segment); }

/// What an edge hands over of `tensor`: docs/formats/training.md, "Edges in BF16".
Result<Tensor> at_boundary(Dtype boundary, Tensor tensor, std::uint32_t edge, const char* kind) {
  if (boundary == Dtype::kF32 || tensor.empty()) return tensor;
  Tensor rounded = round_to_bf16(tensor);
  if (all_finite_bf16(rounded)) return rounded;
  return Error{Code::kNonFinite,
               "edge " + std::to_string(edge) + ": " + kind + ": non-finite value"};
}

/// The fp32 values of what an edge handed over.
Result<Tensor> values_of(const Tensor& edge, Dtype boundary) {
  AFTUNE_CHECK(edge.dtype() == boundary, "an edge of another dtype");
  return to_f32(edge.view());
}

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
  const Dtype boundary = partition_.boundary;
  if (boundary != Dtype::kF32 && input != nullptr) {
    AFTUNE_TRY(Tensor values, values_of(*input, boundary));
    input = std::make_shared<const Tensor>(std::move(values));
  }
  model::SegmentTape tape;
  AFTUNE_TRY(auto output, model::segment_forward(engine_, model_, own_segment(segment),
                                                 state_.view(), batch, std::move(input), &tape)
                              .in(place(segment)));
  const bool is_new = tapes_.emplace(segment, std::move(tape)).second;
  AFTUNE_CHECK(is_new, "forward twice without backward");
  AFTUNE_TRY(output.activation,
             at_boundary(boundary, std::move(output.activation), segment + 1, "activation")
                 .in(place(segment)));
  return output;
}

Result<Tensor> BlockStep::backward(std::uint32_t segment, const model::MicroBatch& batch,
                                   const Tensor* d_output) {
  auto tape = tapes_.extract(segment);
  AFTUNE_CHECK(!tape.empty(), "backward without forward");
  // The first term of a sum that starts at +0 is the term: no product is ever -0.
  const bool is_first = summed_.insert(segment).second;
  const Dtype boundary = partition_.boundary;
  Tensor values;
  if (boundary != Dtype::kF32 && d_output != nullptr) {
    AFTUNE_TRY(values, values_of(*d_output, boundary));
    d_output = &values;
  }
  AFTUNE_TRY(Tensor d_input,
             model::segment_backward(engine_, model_, own_segment(segment), state_.view(), batch,
                                     std::move(tape.mapped()), d_output, gradients_,
                                     is_first ? numerics::Store::kWrite : numerics::Store::kAdd)
                 .in(place(segment)));
  return at_boundary(boundary, std::move(d_input), segment, "gradient").in(place(segment));
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
  const UpdateRule rule{learning_rate(spec.schedule, step), step, clip, spec.moment_key};
  return update_block(engine_, spec.optimizer, rule, gradients_, state_);
}

}  // namespace aftune::train
