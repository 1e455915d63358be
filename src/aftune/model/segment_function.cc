// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/segment_function.h"

#include <optional>
#include <string>

#include "aftune/base/check.h"
#include "aftune/model/decoder_layer.h"
#include "aftune/model/edge_check.h"
#include "aftune/model/frozen_matrix.h"
#include "aftune/model/head_logits.h"
#include "aftune/model/layer_names.h"
#include "aftune/model/segment_call.h"
#include "aftune/model/vision_segment.h"
#include "aftune/numerics/elementwise.h"
#include "aftune/numerics/loss.h"

namespace aftune::model {

namespace {

using SharedTensor = std::shared_ptr<const Tensor>;

/// Of the positions of a row; with documents of each token's position in its own.
struct RotaryTables {
  RotaryTables(const Llama& model, std::size_t sequence,
               std::span<const std::size_t> document_ends = {})
      : RotaryTables(model.inv_freq.count(),
                     document_ends.empty() ? sequence : document_ends.back()) {
    const std::size_t half = model.inv_freq.count();
    std::size_t begin = 0;
    const auto fill = [&](std::size_t end) {
      numerics::rotary_table(model.inv_freq.f32(), 0, {&cos.f32()[begin * half], end - begin, half},
                             {&sin.f32()[begin * half], end - begin, half});
      begin = end;
    };
    for (const std::size_t end : document_ends) fill(end);
    if (document_ends.empty()) fill(sequence);
  }
  Tensor cos, sin;

 private:
  RotaryTables(std::size_t half, std::size_t positions)
      : cos(Tensor::zeros({positions, half})), sin(Tensor::zeros({positions, half})) {}
};

SegmentCall make_call(const numerics::Engine& engine, const Llama& model,
                      const ParameterView& parameters, const MicroBatch& batch,
                      const RotaryTables& tables, const std::optional<AdapterRule>& rule) {
  AFTUNE_CHECK(rule.has_value() == parameters.has_frozen(), "adapters, or none, by both");
  return {engine,
          model.config,
          parameters,
          batch.rows,
          batch.sequence,
          tables.cos,
          tables.sin,
          rule ? &*rule : nullptr,
          batch.document_ends};
}

Error outside(const char* what, const MicroBatch& batch, std::size_t index, std::int32_t id,
              std::uint32_t vocab_size) {
  return {Code::kInvalidInput, std::string(what) + " " + std::to_string(id) + " at row " +
                                   std::to_string(index / batch.sequence) + " position " +
                                   std::to_string(index % batch.sequence) +
                                   ", the vocabulary has " + std::to_string(vocab_size) +
                                   " tokens"};
}

bool in_vocabulary(std::int32_t id, std::uint32_t vocab_size) {
  return id >= 0 && static_cast<std::uint32_t>(id) < vocab_size;
}

Status check_tokens(const MicroBatch& batch, std::uint32_t vocab_size) {
  for (std::size_t i = 0; i < batch.tokens.size(); ++i) {
    const std::int32_t id = batch.tokens[i];
    if (!in_vocabulary(id, vocab_size)) return outside("token", batch, i, id, vocab_size);
  }
  return ok();
}

Status check_targets(const MicroBatch& batch, std::uint32_t vocab_size) {
  for (std::size_t i = 0; i < batch.targets.size(); ++i) {
    const std::int32_t id = batch.targets[i];
    if (id == numerics::kIgnoredLabel) continue;
    if (!in_vocabulary(id, vocab_size)) return outside("target", batch, i, id, vocab_size);
  }
  return ok();
}

Result<Tensor> embed(const SegmentCall& call, const MicroBatch& batch) {
  AFTUNE_TRY(check_tokens(batch, call.config.vocab_size));
  Tensor x = call.token_rows(call.config.hidden_size);
  embedding(call.engine, call.parameter(kEmbedding), batch.tokens, matrix(x));
  return x;
}

Result<Tensor> logits_of(const SegmentCall& call, const Tensor& x) {
  Tensor logits = call.token_rows(call.config.vocab_size);
  AFTUNE_TRY(call.linear(head_weight(call.config), call.norm(kFinalNorm, x), logits,
                         numerics::Store::kWrite));
  return logits;
}

// The gradient of the head's input, from that of the logits.
Result<Tensor> head_backward(const SegmentCall& call, const Tensor& x, Tensor d_logits,
                             const Gradients& gradients) {
  const Tensor normed = call.norm(kFinalNorm, x);
  Tensor d_normed = call.token_rows(call.config.hidden_size);
  AFTUNE_TRY(call.linear_grad(head_weight(call.config), normed, d_logits, d_normed,
                              numerics::Store::kWrite, gradients));
  d_logits = Tensor();
  Tensor dx = call.token_rows(call.config.hidden_size);
  call.norm_grad(kFinalNorm, x, d_normed, dx, numerics::Store::kWrite, gradients);
  return dx;
}

void check_batch(const MicroBatch& batch) {
  AFTUNE_CHECK(batch.rows >= 1 && batch.sequence >= 1, "empty micro-batch");
  AFTUNE_CHECK(batch.tokens.size() == batch.rows * batch.sequence, "tokens of another shape");
  AFTUNE_CHECK(batch.targets.size() == batch.tokens.size(), "targets of another shape");
  std::size_t begin = 0;
  for (const std::size_t end : batch.document_ends) {
    AFTUNE_CHECK(begin < end && begin / batch.sequence == (end - 1) / batch.sequence,
                 "a document that is not within one row");
    begin = end;
  }
  AFTUNE_CHECK(batch.document_ends.empty() || begin == batch.tokens.size(),
               "documents end before the tokens");
}

}  // namespace

struct SegmentTape::State {
  std::optional<RotaryTables> tables;
  std::vector<LayerTape> layers;
  SharedTensor head_input;
  Tensor d_logits;    // stands where the logits stood
  VisionTape vision;  // of an image classifier, instead of all above
};

SegmentTape::SegmentTape() : state_(std::make_unique<State>()) {}
SegmentTape::~SegmentTape() = default;
SegmentTape::SegmentTape(SegmentTape&&) noexcept = default;
SegmentTape& SegmentTape::operator=(SegmentTape&&) noexcept = default;

namespace {

Result<SegmentOutput> head_forward(const SegmentCall& call, const MicroBatch& batch, SharedTensor x,
                                   SegmentTape::State* kept) {
  AFTUNE_CHECK(batch.counted >= 1, "no counted token");
  AFTUNE_TRY(check_targets(batch, call.config.vocab_size));
  AFTUNE_TRY(Tensor logits, logits_of(call, *x));
  AFTUNE_TRY(const float loss,
             at("loss", numerics::cross_entropy(call.engine, matrix(logits), batch.targets,
                                                batch.counted, kept != nullptr)));
  if (kept != nullptr) {
    kept->head_input = std::move(x);
    kept->d_logits = std::move(logits);
  }
  return SegmentOutput{Tensor(), loss};
}

}  // namespace

Result<SegmentOutput> segment_forward(const numerics::Engine& engine, const Llama& model,
                                      const Segment& segment, const ParameterView& parameters,
                                      const MicroBatch& batch, SharedTensor input,
                                      SegmentTape* tape) {
  if (model.config.vision) {
    return vision_forward(engine, model, segment, parameters, batch, std::move(input),
                          tape == nullptr ? nullptr : &tape->state().vision);
  }
  check_batch(batch);
  RotaryTables tables(model, batch.sequence, batch.document_ends);
  const std::optional<AdapterRule> rule = adapter_rule(model, batch);
  const SegmentCall call = make_call(engine, model, parameters, batch, tables, rule);
  SegmentTape::State* kept = tape == nullptr ? nullptr : &tape->state();

  SharedTensor x = std::move(input);
  if (segment.embeds) {
    AFTUNE_TRY(Tensor embedded, embed(call, batch));
    x = std::make_shared<const Tensor>(std::move(embedded));
  }
  AFTUNE_CHECK(x != nullptr, "no entering edge");
  check_edge_shape(*x, batch, model.config);

  // The leaving edge is handed out as a value, so the last layer's output is never shared.
  Tensor output;
  for (std::uint32_t i = 0; i < segment.layer_count; ++i) {
    if (i > 0) x = std::make_shared<const Tensor>(std::move(output));
    LayerTape* layer_tape = kept == nullptr ? nullptr : &kept->layers.emplace_back();
    AFTUNE_TRY(output, layer_forward(call, segment.first_layer + i, x, layer_tape));
  }
  if (segment.heads) {
    if (segment.layer_count > 0) x = std::make_shared<const Tensor>(std::move(output));
    AFTUNE_TRY(auto result, head_forward(call, batch, std::move(x), kept));
    if (kept != nullptr) kept->tables = std::move(tables);
    return result;
  }
  AFTUNE_TRY(check_edge(engine, output, segment.index + 1, "activation"));
  if (kept != nullptr) kept->tables = std::move(tables);
  return SegmentOutput{std::move(output), 0};
}

Result<Tensor> segment_backward(const numerics::Engine& engine, const Llama& model,
                                const Segment& segment, const ParameterView& parameters,
                                const MicroBatch& batch, SegmentTape tape, const Tensor* d_output,
                                TensorMap& tensors, numerics::Store store) {
  SegmentTape::State& kept = tape.state();
  if (model.config.vision) {
    return vision_backward(engine, model, segment, parameters, batch, std::move(kept.vision),
                           d_output, Gradients{tensors, store});
  }
  AFTUNE_CHECK(kept.tables.has_value() && kept.layers.size() == segment.layer_count,
               "tape of another segment");
  const std::optional<AdapterRule> rule = adapter_rule(model, batch);
  const SegmentCall call = make_call(engine, model, parameters, batch, *kept.tables, rule);

  const Gradients gradients{tensors, store};
  Tensor dx;
  if (segment.heads) {
    AFTUNE_TRY(dx, head_backward(call, *kept.head_input, std::move(kept.d_logits), gradients));
    kept.head_input.reset();
  } else {
    AFTUNE_CHECK(d_output != nullptr, "no gradient of the leaving edge");
    check_edge_shape(*d_output, batch, model.config);
    dx = d_output->clone();
  }
  for (std::uint32_t i = segment.layer_count; i-- > 0;) {
    LayerTape layer_tape = std::move(kept.layers.back());
    kept.layers.pop_back();
    AFTUNE_TRY(layer_backward(call, segment.first_layer + i, std::move(layer_tape), dx, gradients));
  }
  if (segment.embeds) {
    if (Tensor* table = call.gradient(kEmbedding, gradients)) {
      // A tied head has put its term there before.
      if (store == numerics::Store::kWrite && !model.config.tied_embeddings) table->clear();
      numerics::embedding_grad(engine, batch.tokens, matrix(dx), matrix(*table));
    }
    return Tensor();
  }
  AFTUNE_TRY(check_edge(engine, dx, segment.index, "gradient"));
  return dx;
}

Result<Tensor> forward_logits(const numerics::Engine& engine, const Llama& model,
                              const ParameterView& parameters, const MicroBatch& batch) {
  if (model.config.vision) return vision_logits(engine, model, parameters, batch);
  check_batch(batch);
  const RotaryTables tables(model, batch.sequence, batch.document_ends);
  const std::optional<AdapterRule> rule = without_dropout(adapter_rule(model, batch));
  const SegmentCall call = make_call(engine, model, parameters, batch, tables, rule);
  AFTUNE_TRY(Tensor x, embed(call, batch));
  for (std::uint32_t layer = 0; layer < model.config.layer_count; ++layer) {
    auto input = std::make_shared<const Tensor>(std::move(x));
    AFTUNE_TRY(x, layer_forward(call, layer, std::move(input), nullptr));
  }
  return logits_of(call, x);
}

Result<Tensor> head_logits(const numerics::Engine& engine, const Llama& model,
                           const TensorMap& parameters, const Tensor& x) {
  const RotaryTables tables(model, 1);  // the head looks at no position
  const std::size_t rows = x.shape()[0];
  const SegmentCall call{engine, model.config, parameters, rows, 1, tables.cos, tables.sin};
  return logits_of(call, x);
}

}  // namespace aftune::model
