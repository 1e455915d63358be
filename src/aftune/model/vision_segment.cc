// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/vision_segment.h"

#include <algorithm>
#include <string>

#include "aftune/base/check.h"
#include "aftune/model/edge_check.h"
#include "aftune/model/vision_embedding.h"
#include "aftune/model/vision_names.h"
#include "aftune/numerics/loss.h"

namespace aftune::model {
namespace {

using SharedTensor = std::shared_ptr<const Tensor>;
using numerics::Store;

SegmentCall make_call(const numerics::Engine& engine, const Llama& model,
                      const ParameterView& parameters, const MicroBatch& batch,
                      const std::optional<AdapterRule>& rule) {
  static const Tensor nothing_rotates;
  AFTUNE_CHECK(rule.has_value() == parameters.has_frozen(), "adapters, or none, by both");
  return {engine,         model.config,    parameters,      batch.rows,
          batch.sequence, nothing_rotates, nothing_rotates, rule ? &*rule : nullptr};
}

void check_batch(const Llama& model, const MicroBatch& batch) {
  AFTUNE_CHECK(batch.rows >= 1 && batch.sequence == model.config.max_positions,
               "images of another shape");
  AFTUNE_CHECK(batch.pixels.size() == batch.rows * model.config.vision->image_values(),
               "pixels of another shape");
  AFTUNE_CHECK(batch.targets.size() == batch.rows, "classes of another shape");
}

Status check_classes(const MicroBatch& batch, std::uint32_t classes) {
  for (std::size_t i = 0; i < batch.targets.size(); ++i) {
    const std::int32_t id = batch.targets[i];
    if (id == numerics::kIgnoredLabel) continue;
    if (id >= 0 && static_cast<std::uint32_t>(id) < classes) continue;
    return Error{Code::kInvalidInput, "class " + std::to_string(id) + " of image " +
                                          std::to_string(i) + ", the model has " +
                                          std::to_string(classes) + " classes"};
  }
  return ok();
}

/// Row (b, 0) of each image.
numerics::ConstMatrix class_rows(const SegmentCall& call, const Tensor& x) {
  const std::size_t width = call.config.hidden_size;
  return {x.data(), call.rows, width, call.sequence * width};
}

/// What the classifier multiplies.
Tensor features_of(const SegmentCall& call, const Tensor& x) {
  const std::size_t width = call.config.hidden_size;
  const numerics::LayerNormWeights norm =
      layer_norm_of(call, VisionNames(call.config).final_norm());
  if (call.config.family == Family::kVit) {
    Tensor features = Tensor::unwritten(Dtype::kF32, {call.rows, width});
    numerics::layer_norm(call.engine, class_rows(call, x), norm, matrix(features));
    return features;
  }
  Tensor normed = call.token_rows(width);
  numerics::layer_norm(call.engine, matrix(x), norm, matrix(normed));
  Tensor features = Tensor::unwritten(Dtype::kF32, {call.rows, 2 * width});
  for (std::size_t b = 0; b < call.rows; ++b) {
    const float* tokens = normed.data() + b * call.sequence * width;
    const auto row = features.f32().subspan(b * 2 * width, 2 * width);
    std::copy_n(tokens, width, row.begin());
    numerics::column_means(call.engine, {tokens + width, call.sequence - 1, width},
                           row.last(width));
  }
  return features;
}

/// dx of the head's input, from the gradient of features_of().
Tensor features_grad(const SegmentCall& call, const Tensor& x, const Tensor& d_features,
                     const Gradients& gradients) {
  const std::size_t width = call.config.hidden_size;
  const std::string name = VisionNames(call.config).final_norm();
  const LayerNormGradients places(call, name, gradients);
  if (call.config.family == Family::kVit) {
    Tensor dx = Tensor::zeros({call.rows * call.sequence, width});
    numerics::layer_norm_grad(call.engine, class_rows(call, x), layer_norm_of(call, name),
                              matrix(d_features),
                              {dx.data(), call.rows, width, call.sequence * width}, Store::kWrite,
                              places.weight, places.bias);
    return dx;
  }
  Tensor dx = call.token_rows(width);
  for (std::size_t b = 0; b < call.rows; ++b) {
    const auto row = d_features.f32().subspan(b * 2 * width, 2 * width);
    const auto tokens = dx.f32().subspan(b * call.sequence * width, call.sequence * width);
    std::copy_n(row.begin(), width, tokens.begin());
    for (std::size_t s = 1; s < call.sequence; ++s) {
      numerics::divide_by_count(row.last(width), call.sequence - 1,
                                tokens.subspan(s * width, width));
    }
  }
  numerics::layer_norm_grad(call.engine, matrix(x), layer_norm_of(call, name), matrix(dx),
                            matrix(dx), Store::kWrite, places.weight, places.bias);
  return dx;
}

Result<Tensor> logits_of(const SegmentCall& call, const Tensor& x) {
  Tensor logits = Tensor::unwritten(Dtype::kF32, {call.rows, call.config.vocab_size});
  AFTUNE_TRY(call.linear(kClassifier, features_of(call, x), logits, Store::kWrite));
  return logits;
}

Result<SegmentOutput> head_forward(const SegmentCall& call, const MicroBatch& batch, SharedTensor x,
                                   VisionTape* tape) {
  AFTUNE_CHECK(batch.counted >= 1, "no counted image");
  AFTUNE_TRY(check_classes(batch, call.config.vocab_size));
  AFTUNE_TRY(Tensor logits, logits_of(call, *x));
  AFTUNE_TRY(const float loss,
             at("loss", numerics::cross_entropy(call.engine, matrix(logits), batch.targets,
                                                batch.counted, tape != nullptr)));
  if (tape != nullptr) {
    tape->head_input = std::move(x);
    tape->d_logits = std::move(logits);
  }
  return SegmentOutput{Tensor(), loss};
}

Result<Tensor> head_backward(const SegmentCall& call, VisionTape& tape,
                             const Gradients& gradients) {
  const Tensor features = features_of(call, *tape.head_input);
  Tensor d_features = Tensor::unwritten(Dtype::kF32, features.shape());
  AFTUNE_TRY(
      call.linear_grad(kClassifier, features, tape.d_logits, d_features, Store::kWrite, gradients));
  Tensor dx = features_grad(call, *tape.head_input, d_features, gradients);
  tape.head_input.reset();
  tape.d_logits = Tensor();
  return dx;
}

}  // namespace

Result<SegmentOutput> vision_forward(const numerics::Engine& engine, const Llama& model,
                                     const Segment& segment, const ParameterView& parameters,
                                     const MicroBatch& batch, SharedTensor input,
                                     VisionTape* tape) {
  check_batch(model, batch);
  const std::optional<AdapterRule> rule = adapter_rule(model, batch);
  const SegmentCall call = make_call(engine, model, parameters, batch, rule);
  SharedTensor x = std::move(input);
  if (segment.embeds) {
    AFTUNE_TRY(Tensor embedded, vision_embed(call, model, batch));
    x = std::make_shared<const Tensor>(std::move(embedded));
  }
  AFTUNE_CHECK(x != nullptr, "no entering edge");
  check_edge_shape(*x, batch, model.config);
  // The leaving edge is handed out as a value, so the last layer's output is never shared.
  Tensor output;
  for (std::uint32_t i = 0; i < segment.layer_count; ++i) {
    if (i > 0) x = std::make_shared<const Tensor>(std::move(output));
    VisionLayerTape* layer_tape = tape == nullptr ? nullptr : &tape->layers.emplace_back();
    AFTUNE_TRY(output, vision_layer_forward(call, segment.first_layer + i, x, layer_tape));
  }
  if (segment.heads) {
    return head_forward(call, batch, std::make_shared<const Tensor>(std::move(output)), tape);
  }
  AFTUNE_TRY(check_edge(engine, output, segment.index + 1, "activation"));
  return SegmentOutput{std::move(output), 0};
}

Result<Tensor> vision_backward(const numerics::Engine& engine, const Llama& model,
                               const Segment& segment, const ParameterView& parameters,
                               const MicroBatch& batch, VisionTape tape, const Tensor* d_output,
                               const Gradients& gradients) {
  AFTUNE_CHECK(tape.layers.size() == segment.layer_count, "tape of another segment");
  const std::optional<AdapterRule> rule = adapter_rule(model, batch);
  const SegmentCall call = make_call(engine, model, parameters, batch, rule);
  Tensor dx;
  if (segment.heads) {
    AFTUNE_TRY(dx, head_backward(call, tape, gradients));
  } else {
    AFTUNE_CHECK(d_output != nullptr, "no gradient of the leaving edge");
    check_edge_shape(*d_output, batch, model.config);
    dx = d_output->clone();
  }
  for (std::uint32_t i = segment.layer_count; i-- > 0;) {
    VisionLayerTape layer_tape = std::move(tape.layers.back());
    tape.layers.pop_back();
    AFTUNE_TRY(
        vision_layer_backward(call, segment.first_layer + i, std::move(layer_tape), dx, gradients));
  }
  if (segment.embeds) {
    AFTUNE_TRY(vision_embed_grad(call, model, batch, dx, gradients));
    return Tensor();
  }
  AFTUNE_TRY(check_edge(engine, dx, segment.index, "gradient"));
  return dx;
}

Result<Tensor> vision_logits(const numerics::Engine& engine, const Llama& model,
                             const ParameterView& parameters, const MicroBatch& batch) {
  check_batch(model, batch);
  const std::optional<AdapterRule> rule = without_dropout(adapter_rule(model, batch));
  const SegmentCall call = make_call(engine, model, parameters, batch, rule);
  AFTUNE_TRY(Tensor x, vision_embed(call, model, batch));
  for (std::uint32_t layer = 0; layer < model.config.layer_count; ++layer) {
    AFTUNE_TRY(x, vision_layer_forward(call, layer, std::make_shared<const Tensor>(std::move(x)),
                                       nullptr));
  }
  return logits_of(call, x);
}

}  // namespace aftune::model
