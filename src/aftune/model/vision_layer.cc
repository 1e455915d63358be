// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/vision_layer.h"

#include <utility>

#include "aftune/base/check.h"
#include "aftune/model/vision_names.h"
#include "aftune/numerics/attention.h"
#include "aftune/numerics/elementwise.h"

namespace aftune::model {
namespace {

using numerics::Store;

numerics::AttentionShape attention_shape(const SegmentCall& call) {
  const auto& c = call.config;
  return {call.rows,  call.sequence,      c.head_count,         c.head_count,
          c.head_dim, attention_scale(c), numerics::Mask::kFull};
}

Tensor norm(const SegmentCall& call, const std::string& name, const Tensor& x) {
  Tensor y = call.token_rows(call.config.hidden_size);
  numerics::layer_norm(call.engine, matrix(x), layer_norm_of(call, name), matrix(y));
  return y;
}

/// dx += the gradient through the norm of x.
void norm_grad(const SegmentCall& call, const std::string& name, const Tensor& x, const Tensor& dy,
               Tensor& dx, const Gradients& gradients) {
  const LayerNormGradients places(call, name, gradients);
  numerics::layer_norm_grad(call.engine, matrix(x), layer_norm_of(call, name), matrix(dy),
                            matrix(dx), Store::kAdd, places.weight, places.bias);
}

/// residual + branch, the branch scaled by columns where the family has that. What the scale's
/// gradient needs of the branch goes to `kept`.
Tensor add_branch(const SegmentCall& call, const std::string& scale, const Tensor& residual,
                  Tensor branch, Tensor& kept) {
  Tensor sum = call.token_rows(call.config.hidden_size);
  if (call.config.family == Family::kDinov2) {
    numerics::scale_columns(call.engine, matrix(branch), call.parameter(scale).f32(), matrix(sum));
    numerics::add(call.engine, residual.f32(), sum.f32(), sum.f32());
    kept = std::move(branch);
  } else {
    numerics::add(call.engine, residual.f32(), branch.f32(), sum.f32());
  }
  return sum;
}

/// The gradient of a branch from that of its sum: the same, or scaled into `scaled`.
const Tensor& branch_grad(const SegmentCall& call, const std::string& scale, const Tensor& branch,
                          const Tensor& dy, Tensor& scaled, const Gradients& gradients) {
  if (call.config.family != Family::kDinov2) return dy;
  scaled = call.token_rows(call.config.hidden_size);
  Tensor unused;
  numerics::scale_columns_grad(call.engine, matrix(branch), call.parameter(scale).f32(), matrix(dy),
                               matrix(scaled), call.gradient_or(scale, gradients, unused).f32());
  return scaled;
}

/// Calls body(row, gate, up) for both halves of each row.
template <typename Body>
void each_gated_row(const SegmentCall& call, const Tensor& inner, const Body& body) {
  const std::size_t width = call.config.intermediate_size;
  for (std::size_t t = 0; t < inner.shape()[0]; ++t) {
    const auto row = inner.f32().subspan(t * 2 * width, 2 * width);
    body(t, row.first(width), row.last(width));
  }
}

Tensor activated(const SegmentCall& call, const Tensor& inner) {
  const std::size_t width = call.config.intermediate_size;
  Tensor a = call.token_rows(width);
  if (!call.config.vision->swiglu) {
    numerics::gelu(call.engine, inner.f32(), a.f32());
    return a;
  }
  each_gated_row(call, inner, [&](std::size_t t, auto gate, auto up) {
    numerics::swiglu(call.engine, gate, up, a.f32().subspan(t * width, width));
  });
  return a;
}

/// The gradient of what activated() took.
Tensor activated_grad(const SegmentCall& call, const Tensor& inner, Tensor da) {
  if (!call.config.vision->swiglu) {
    numerics::gelu_grad(call.engine, inner.f32(), da.f32(), da.f32());
    return da;
  }
  const std::size_t width = call.config.intermediate_size;
  Tensor d_inner = call.token_rows(2 * width);
  each_gated_row(call, inner, [&](std::size_t t, auto gate, auto up) {
    const auto d_row = d_inner.f32().subspan(t * 2 * width, 2 * width);
    numerics::swiglu_grad(call.engine, gate, up, da.f32().subspan(t * width, width),
                          d_row.first(width), d_row.last(width));
  });
  return d_inner;
}

/// The layer's middle; fills the tape up to it.
Status attend(const SegmentCall& call, const VisionLayerNames& names, const Tensor& x,
              VisionLayerTape& t) {
  const std::size_t width = call.config.hidden_size;
  const Tensor normed = norm(call, names.first_norm(), x);
  for (auto& [weight, out] : {std::pair{names.query(), &t.query}, std::pair{names.key(), &t.key},
                              std::pair{names.value(), &t.value}}) {
    *out = call.token_rows(width);
    AFTUNE_TRY(call.linear(weight, normed, *out, Store::kWrite));
  }
  t.attended = call.token_rows(width);
  AFTUNE_TRY(
      at(names.attention(), numerics::attention(call.engine, attention_shape(call), t.query.data(),
                                                t.key.data(), t.value.data(), t.attended.data())));
  Tensor branch = call.token_rows(width);
  AFTUNE_TRY(call.linear(names.attention_output(), t.attended, branch, Store::kWrite));
  t.middle = add_branch(call, names.first_scale(), x, std::move(branch), t.first_branch);
  return ok();
}

// dx: from the gradient of the layer's output to that of its middle.
Status mlp_backward(const SegmentCall& call, const VisionLayerNames& names, VisionLayerTape& t,
                    Tensor& dx, const Gradients& gradients) {
  Tensor scaled;
  const Tensor& d_branch =
      branch_grad(call, names.second_scale(), t.second_branch, dx, scaled, gradients);
  Tensor da = call.token_rows(call.config.intermediate_size);
  AFTUNE_TRY(call.linear_grad(names.outer(), activated(call, t.inner), d_branch, da, Store::kWrite,
                              gradients));
  const Tensor d_inner = activated_grad(call, t.inner, std::move(da));
  t.inner = Tensor();
  Tensor d_normed = call.token_rows(call.config.hidden_size);
  AFTUNE_TRY(call.linear_grad(names.inner(), norm(call, names.second_norm(), t.middle), d_inner,
                              d_normed, Store::kWrite, gradients));
  norm_grad(call, names.second_norm(), t.middle, d_normed, dx, gradients);
  t.middle = Tensor();
  return ok();
}

// dx: from the gradient of the layer's middle to that of its input.
Status attention_backward(const SegmentCall& call, const VisionLayerNames& names,
                          VisionLayerTape& t, Tensor& dx, const Gradients& gradients) {
  const std::size_t width = call.config.hidden_size;
  Tensor scaled;
  const Tensor& d_branch =
      branch_grad(call, names.first_scale(), t.first_branch, dx, scaled, gradients);
  Tensor d_attended = call.token_rows(width);
  AFTUNE_TRY(call.linear_grad(names.attention_output(), t.attended, d_branch, d_attended,
                              Store::kWrite, gradients));
  Tensor d_query = call.token_rows(width), d_key = call.token_rows(width),
         d_value = call.token_rows(width);
  AFTUNE_TRY(
      at(names.attention() + " gradient",
         numerics::attention_grad(call.engine, attention_shape(call), t.query.data(), t.key.data(),
                                  t.value.data(), t.attended.data(), d_attended.data(),
                                  d_query.data(), d_key.data(), d_value.data())));
  const Tensor normed = norm(call, names.first_norm(), *t.input);
  Tensor d_normed = call.token_rows(width);
  AFTUNE_TRY(call.linear_grad(names.query(), normed, d_query, d_normed, Store::kWrite, gradients));
  AFTUNE_TRY(call.linear_grad(names.key(), normed, d_key, d_normed, Store::kAdd, gradients));
  AFTUNE_TRY(call.linear_grad(names.value(), normed, d_value, d_normed, Store::kAdd, gradients));
  norm_grad(call, names.first_norm(), *t.input, d_normed, dx, gradients);
  return ok();
}

}  // namespace

numerics::LayerNormWeights layer_norm_of(const SegmentCall& call, const std::string& name) {
  return {call.parameter(name + ".weight").f32(), call.parameter(name + ".bias").f32(),
          call.config.rms_norm_eps};
}

LayerNormGradients::LayerNormGradients(const SegmentCall& call, const std::string& name,
                                       const Gradients& gradients)
    : weight(call.gradient_or(name + ".weight", gradients, unused_weight).f32()),
      bias(call.gradient_or(name + ".bias", gradients, unused_bias).f32()) {}

Result<Tensor> vision_layer_forward(const SegmentCall& call, std::uint32_t layer,
                                    std::shared_ptr<const Tensor> input, VisionLayerTape* tape) {
  const VisionLayerNames names(call.config, layer);
  const bool swiglu = call.config.vision->swiglu;
  VisionLayerTape t;
  AFTUNE_TRY(attend(call, names, *input, t));
  t.inner = call.token_rows((swiglu ? 2U : 1U) * std::size_t{call.config.intermediate_size});
  AFTUNE_TRY(call.linear(names.inner(), norm(call, names.second_norm(), t.middle), t.inner,
                         Store::kWrite));
  Tensor branch = call.token_rows(call.config.hidden_size);
  AFTUNE_TRY(call.linear(names.outer(), activated(call, t.inner), branch, Store::kWrite));
  Tensor output =
      add_branch(call, names.second_scale(), t.middle, std::move(branch), t.second_branch);
  if (tape != nullptr) {
    t.input = std::move(input);
    *tape = std::move(t);
  }
  return output;
}

Status vision_layer_backward(const SegmentCall& call, std::uint32_t layer, VisionLayerTape tape,
                             Tensor& dx, const Gradients& gradients) {
  AFTUNE_CHECK(tape.input != nullptr, "backward without forward");
  const VisionLayerNames names(call.config, layer);
  AFTUNE_TRY(mlp_backward(call, names, tape, dx, gradients));
  return attention_backward(call, names, tape, dx, gradients);
}

}  // namespace aftune::model
