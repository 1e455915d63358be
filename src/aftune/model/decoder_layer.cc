// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/decoder_layer.h"

#include <algorithm>
#include <utility>

#include "aftune/base/check.h"
#include "aftune/model/layer_names.h"
#include "aftune/numerics/attention.h"
#include "aftune/numerics/elementwise.h"

namespace aftune::model {
namespace {

using numerics::Store;

numerics::AttentionShape attention_shape(const SegmentCall& call) {
  const auto& c = call.config;
  return {call.rows, call.sequence, c.head_count, c.kv_head_count, c.head_dim, attention_scale(c)};
}

// Calls `compute(shape, first)` for all rows at once, or for each document from its first token.
template <typename Compute>
Status within_documents(const SegmentCall& call, const Compute& compute) {
  numerics::AttentionShape shape = attention_shape(call);
  if (call.document_ends.empty()) return compute(shape, 0);
  shape.batch = 1;
  std::size_t first = 0;
  for (const std::size_t end : call.document_ends) {
    shape.sequence = end - first;
    AFTUNE_TRY(compute(shape, first));
    first = end;
  }
  return ok();
}

void rotate(const SegmentCall& call, Tensor& x, int direction) {
  numerics::rotary(call.engine, matrix(x), call.config.head_dim, matrix(call.cos), matrix(call.sin),
                   direction);
}

// Fills query, key, value and attended.
Status attend(const SegmentCall& call, const LayerNames& names, const Tensor& x, LayerTape& t) {
  const auto& c = call.config;
  const std::size_t query_width = std::size_t{c.head_count} * c.head_dim;
  const std::size_t key_width = std::size_t{c.kv_head_count} * c.head_dim;
  const Tensor normed = call.norm(names.input_norm(), x);
  t.query = call.token_rows(query_width);
  t.key = call.token_rows(key_width);
  t.value = call.token_rows(key_width);
  t.attended = call.token_rows(query_width);
  AFTUNE_TRY(call.linear(names.query(), normed, t.query, Store::kWrite));
  AFTUNE_TRY(call.linear(names.key(), normed, t.key, Store::kWrite));
  AFTUNE_TRY(call.linear(names.value(), normed, t.value, Store::kWrite));
  if (c.has_head_norms()) {
    t.raw_query = std::move(t.query);
    t.raw_key = std::move(t.key);
    t.query = call.norm_heads(names.query_norm(), t.raw_query);
    t.key = call.norm_heads(names.key_norm(), t.raw_key);
  }
  rotate(call, t.query, +1);
  rotate(call, t.key, +1);
  return at(names.attention(),
            within_documents(call, [&](const numerics::AttentionShape& shape, std::size_t first) {
              const std::size_t q = first * query_width, k = first * key_width;
              return numerics::attention(call.engine, shape, t.query.data() + q, t.key.data() + k,
                                         t.value.data() + k, t.attended.data() + q);
            }));
}

// The gated unit, from what the tape keeps of it.
Tensor gated(const SegmentCall& call, const LayerTape& t) {
  Tensor a = call.token_rows(call.config.intermediate_size);
  numerics::swiglu(call.engine, t.gate.f32(), t.up.f32(), a.f32());
  return a;
}

// dx: from the gradient of the layer's output to that of its middle.
Status mlp_backward(const SegmentCall& call, const LayerNames& names, LayerTape& t, Tensor& dx,
                    const Gradients& gradients) {
  Tensor d_up = call.token_rows(call.config.intermediate_size);
  Tensor d_gate = gated(call, t);
  AFTUNE_TRY(call.linear_grad(names.down(), d_gate, dx, d_up, Store::kWrite, gradients));
  numerics::swiglu_grad(call.engine, t.gate.f32(), t.up.f32(), d_up.f32(), d_gate.f32(),
                        d_up.f32());
  t.gate = Tensor();
  t.up = Tensor();
  const Tensor normed = call.norm(names.middle_norm(), t.middle);
  Tensor d_normed = call.token_rows(call.config.hidden_size);
  AFTUNE_TRY(call.linear_grad(names.gate(), normed, d_gate, d_normed, Store::kWrite, gradients));
  AFTUNE_TRY(call.linear_grad(names.up(), normed, d_up, d_normed, Store::kAdd, gradients));
  call.norm_grad(names.middle_norm(), t.middle, d_normed, dx, Store::kAdd, gradients);
  t.middle = Tensor();
  return ok();
}

// dx: from the gradient of the layer's middle to that of its input.
Status attention_backward(const SegmentCall& call, const LayerNames& names, LayerTape& t,
                          Tensor& dx, const Gradients& gradients) {
  Tensor d_attended = call.token_rows(t.attended.shape()[1]);
  AFTUNE_TRY(
      call.linear_grad(names.output(), t.attended, dx, d_attended, Store::kWrite, gradients));
  Tensor d_query = call.token_rows(t.query.shape()[1]);
  Tensor d_key = call.token_rows(t.key.shape()[1]);
  Tensor d_value = call.token_rows(t.value.shape()[1]);
  const auto gradient = [&](const numerics::AttentionShape& shape, std::size_t first) {
    const std::size_t q = first * t.query.shape()[1], k = first * t.key.shape()[1];
    return numerics::attention_grad(call.engine, shape, t.query.data() + q, t.key.data() + k,
                                    t.value.data() + k, t.attended.data() + q,
                                    d_attended.data() + q, d_query.data() + q, d_key.data() + k,
                                    d_value.data() + k);
  };
  AFTUNE_TRY(at(names.attention() + " gradient", within_documents(call, gradient)));
  rotate(call, d_query, -1);
  rotate(call, d_key, -1);
  if (call.config.has_head_norms()) {
    call.norm_heads_grad(names.query_norm(), t.raw_query, d_query, gradients);
    call.norm_heads_grad(names.key_norm(), t.raw_key, d_key, gradients);
  }
  const Tensor normed = call.norm(names.input_norm(), *t.input);
  Tensor d_normed = call.token_rows(call.config.hidden_size);
  AFTUNE_TRY(call.linear_grad(names.query(), normed, d_query, d_normed, Store::kWrite, gradients));
  AFTUNE_TRY(call.linear_grad(names.key(), normed, d_key, d_normed, Store::kAdd, gradients));
  AFTUNE_TRY(call.linear_grad(names.value(), normed, d_value, d_normed, Store::kAdd, gradients));
  call.norm_grad(names.input_norm(), *t.input, d_normed, dx, Store::kAdd, gradients);
  return ok();
}

}  // namespace

Result<Tensor> layer_forward(const SegmentCall& call, std::uint32_t layer,
                             std::shared_ptr<const Tensor> input, LayerTape* tape) {
  const LayerNames names(layer);
  LayerTape t;
  AFTUNE_TRY(attend(call, names, *input, t));
  t.middle = call.token_rows(call.config.hidden_size);
  numerics::copy(call.engine, input->f32(), t.middle.f32());
  AFTUNE_TRY(call.linear(names.output(), t.attended, t.middle, Store::kAdd));

  const Tensor normed = call.norm(names.middle_norm(), t.middle);
  t.gate = call.token_rows(call.config.intermediate_size);
  t.up = call.token_rows(call.config.intermediate_size);
  AFTUNE_TRY(call.linear(names.gate(), normed, t.gate, Store::kWrite));
  AFTUNE_TRY(call.linear(names.up(), normed, t.up, Store::kWrite));
  Tensor output = call.token_rows(call.config.hidden_size);
  numerics::copy(call.engine, t.middle.f32(), output.f32());
  AFTUNE_TRY(call.linear(names.down(), gated(call, t), output, Store::kAdd));

  if (tape != nullptr) {
    t.input = std::move(input);
    *tape = std::move(t);
  }
  return output;
}

Status layer_backward(const SegmentCall& call, std::uint32_t layer, LayerTape tape, Tensor& dx,
                      const Gradients& gradients) {
  AFTUNE_CHECK(tape.input != nullptr, "backward without forward");
  const LayerNames names(layer);
  AFTUNE_TRY(mlp_backward(call, names, tape, dx, gradients));
  return attention_backward(call, names, tape, dx, gradients);
}

}  // namespace aftune::model
