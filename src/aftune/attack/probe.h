// SPDX-License-Identifier: Apache-2.0
// The model from one edge on, forward to the logits and backward to the edge: what a provider that
// looks for a lie computes. The functions are those of training; only the head is put apart.
#pragma once

#include <cstdint>
#include <map>

#include "aftune/attack/lies.h"
#include "aftune/numerics/engine.h"

namespace aftune::attack {

/// Borrows its arguments. Threads: one at a time.
class Probe {
 public:
  Probe(const numerics::Engine& engine, const model::Llama& model,
        const model::Partition& partition, const States& states);

  /// The activation at `edge` that the tokens of `batch` give; null for edge 0.
  Result<train::EdgeTensor> activation(std::uint32_t edge, const model::MicroBatch& batch) const;

  /// Logits [rows * sequence, vocabulary] from `input` at `edge` on.
  Result<Tensor> logits(std::uint32_t edge, train::EdgeTensor input,
                        const model::MicroBatch& batch) const;

  /// Gradients of the batch's loss by parameter, for the blocks of the segments from `edge` on.
  using BlockGradients = std::map<std::uint32_t, TensorMap>;
  /// The gradient of the loss at `edge`, empty for edge 0; the parameters' are written.
  Result<Tensor> gradient(std::uint32_t edge, train::EdgeTensor input,
                          const model::MicroBatch& batch, BlockGradients& gradients) const;

  [[nodiscard]] const model::Partition& partition() const { return partition_; }
  [[nodiscard]] const model::LlamaConfig& config() const { return model_.config; }

 private:
  [[nodiscard]] model::ParameterView parameters_of(const model::Segment& segment) const;

  const numerics::Engine& engine_;
  const model::Llama& model_;
  const model::Partition& partition_;
  const States& states_;
};

/// Row `row` of a micro-batch alone.
model::MicroBatch one_row(const model::MicroBatch& batch, std::size_t row);

/// The largest and the second largest logit of a token.
struct TopTwo {
  std::int32_t first = 0, second = 0;
  float margin = 0;
};
TopTwo top_two(const Tensor& logits, std::size_t token);

/// Square root of the sum of squares, in fp64.
double l2_norm(std::span<const float> values);

}  // namespace aftune::attack
