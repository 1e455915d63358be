// SPDX-License-Identifier: Apache-2.0
#include "aftune/attack/probe.h"

#include <cmath>

#include "aftune/base/check.h"
#include "aftune/numerics/elementwise.h"
#include "aftune/numerics/product.h"

namespace aftune::attack {
namespace {

numerics::ConstMatrix matrix(const Tensor& tensor) {
  return {tensor.data(), tensor.shape()[0], tensor.shape()[1]};
}

numerics::Matrix matrix(Tensor& tensor) {
  return {tensor.data(), tensor.shape()[0], tensor.shape()[1]};
}

const Tensor& named(const model::ParameterView& parameters, std::string_view name) {
  const Tensor* found = parameters.find(name);
  AFTUNE_CHECK(found != nullptr, name);
  return *found;
}

}  // namespace

Probe::Probe(const numerics::Engine& engine, const model::Llama& model,
             const model::Partition& partition, const States& states)
    : engine_(engine), model_(model), partition_(partition), states_(states) {
  AFTUNE_CHECK(states.size() == partition.block_count, "states of another partition");
}

model::ParameterView Probe::parameters_of(const model::Segment& segment) const {
  return states_[segment.block].view();
}

Result<train::EdgeTensor> Probe::activation(std::uint32_t edge,
                                            const model::MicroBatch& batch) const {
  train::EdgeTensor x;
  for (std::uint32_t s = 0; s < edge; ++s) {
    const model::Segment& segment = partition_.segments[s];
    AFTUNE_TRY(auto output, model::segment_forward(engine_, model_, segment, parameters_of(segment),
                                                   batch, x, nullptr));
    x = std::make_shared<const Tensor>(std::move(output.activation));
  }
  return x;
}

Result<Tensor> Probe::logits(std::uint32_t edge, train::EdgeTensor input,
                             const model::MicroBatch& batch) const {
  train::EdgeTensor x = std::move(input);
  for (std::uint32_t s = edge; s < partition_.segments.size(); ++s) {
    model::Segment body = partition_.segments[s];
    body.heads = false;
    if (body.layer_count == 0) continue;  // a head of its own
    AFTUNE_TRY(auto output, model::segment_forward(engine_, model_, body, parameters_of(body),
                                                   batch, x, nullptr));
    x = std::make_shared<const Tensor>(std::move(output.activation));
  }
  const model::ParameterView head = parameters_of(partition_.segments.back());
  Tensor normed = Tensor::zeros(x->shape());
  numerics::rms_norm(engine_, matrix(*x), named(head, "model.norm.weight").f32(),
                     model_.config.rms_norm_eps, matrix(normed));
  Tensor out = Tensor::zeros({x->shape()[0], model_.config.vocab_size});
  const char* weight =
      model_.config.tied_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  AFTUNE_TRY(numerics::linear(engine_, matrix(normed), matrix(named(head, weight)), matrix(out),
                              numerics::Store::kWrite));
  return out;
}

Result<Tensor> Probe::gradient(std::uint32_t edge, train::EdgeTensor input,
                               const model::MicroBatch& batch, BlockGradients& gradients) const {
  const auto count = static_cast<std::uint32_t>(partition_.segments.size());
  for (auto& [block, map] : gradients) {
    for (auto& [name, tensor] : map) tensor.clear();
  }
  std::vector<model::SegmentTape> tapes(count);
  train::EdgeTensor x = std::move(input);
  for (std::uint32_t s = edge; s < count; ++s) {
    const model::Segment& segment = partition_.segments[s];
    TensorMap& map = gradients[segment.block];
    for (const auto& [name, tensor] : states_[segment.block].parameters) {
      const auto [place, is_new] = map.try_emplace(name);
      if (is_new) place->second = Tensor::zeros(tensor.shape());
    }
    AFTUNE_TRY(auto output, model::segment_forward(engine_, model_, segment, parameters_of(segment),
                                                   batch, x, &tapes[s]));
    x = std::make_shared<const Tensor>(std::move(output.activation));
  }
  Tensor d;
  for (std::uint32_t s = count; s-- > edge;) {
    const model::Segment& segment = partition_.segments[s];
    AFTUNE_TRY(d, model::segment_backward(engine_, model_, segment, parameters_of(segment), batch,
                                          std::move(tapes[s]), d.empty() ? nullptr : &d,
                                          gradients[segment.block]));
  }
  return d;
}

model::MicroBatch one_row(const model::MicroBatch& batch, std::size_t row) {
  const auto cut = [&](const std::vector<std::int32_t>& all) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(row * batch.sequence);
    return std::vector<std::int32_t>(begin, begin + static_cast<std::ptrdiff_t>(batch.sequence));
  };
  return {1, batch.sequence, cut(batch.tokens), cut(batch.targets), 1};
}

TopTwo top_two(const Tensor& logits, std::size_t token) {
  const std::size_t width = logits.shape()[1];
  const float* row = logits.data() + token * width;
  TopTwo top{0, width > 1 ? 1 : 0, 0};
  if (row[top.second] > row[top.first]) std::swap(top.first, top.second);
  for (std::size_t i = 2; i < width; ++i) {
    if (row[i] > row[top.first]) {
      top.second = std::exchange(top.first, static_cast<std::int32_t>(i));
    } else if (row[i] > row[top.second]) {
      top.second = static_cast<std::int32_t>(i);
    }
  }
  top.margin = row[top.first] - row[top.second];
  return top;
}

double l2_norm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

}  // namespace aftune::attack
