// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/segment_call.h"

#include <cmath>

#include "aftune/base/check.h"
#include "aftune/model/frozen_matrix.h"
#include "aftune/model/layer_names.h"
#include "aftune/model/lora.h"
#include "aftune/numerics/bias.h"
#include "aftune/numerics/elementwise.h"
#include "aftune/numerics/product.h"

namespace aftune::model {
namespace {

std::size_t columns_of(const Tensor& tensor) {
  AFTUNE_CHECK(tensor.shape().size() >= 2, "not a matrix");
  std::size_t columns = 1;
  for (std::size_t i = 1; i < tensor.shape().size(); ++i) columns *= tensor.shape()[i];
  return columns;
}

}  // namespace

numerics::ConstMatrix matrix(const Tensor& tensor) {
  return {tensor.data(), tensor.shape()[0], columns_of(tensor)};
}

numerics::Matrix matrix(Tensor& tensor) {
  return {tensor.data(), tensor.shape()[0], columns_of(tensor)};
}

float attention_scale(const LlamaConfig& config) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.head_dim)));
}

Tensor& Gradients::of(std::string_view name) const {
  const auto found = tensors.find(name);
  AFTUNE_CHECK(found != tensors.end(), name);
  return found->second;
}

Tensor SegmentCall::token_rows(std::size_t width) const {
  return Tensor::unwritten(Dtype::kF32, {rows * sequence, width});
}

const Tensor& SegmentCall::parameter(std::string_view name) const {
  const Tensor* found = parameters.find(name);
  AFTUNE_CHECK(found != nullptr, name);
  return *found;
}

Tensor* SegmentCall::gradient(std::string_view name, const Gradients& gradients) const {
  if (!parameters.has_frozen()) return &gradients.of(name);
  const std::string trained = saved_name(name);
  return parameters.find_trained(trained) == nullptr ? nullptr : &gradients.of(trained);
}

Tensor& SegmentCall::gradient_or(const std::string& weight, const Gradients& gradients,
                                 Tensor& unused) const {
  if (Tensor* found = gradient(weight, gradients)) {
    if (gradients.store == numerics::Store::kWrite) found->clear();
    return *found;
  }
  unused = Tensor::zeros(parameter(weight).shape());
  return unused;
}

const Tensor* SegmentCall::bias(const std::string& weight) const {
  return config.has_projection_biases() ? parameters.find(bias_of(weight)) : nullptr;
}

Status SegmentCall::linear(const std::string& weight, const Tensor& x, Tensor& y,
                           numerics::Store store) const {
  AFTUNE_TRY(at(weight + ": product",
                model::linear(engine, matrix(x), parameter(weight), matrix(y), store)));
  if (const Tensor* b = bias(weight)) {
    AFTUNE_CHECK(store == numerics::Store::kWrite, weight);
    numerics::add_bias(engine, b->f32(), matrix(y));
  }
  return add_adapter(*this, weight, x, y);
}

Status SegmentCall::weight_grad(const std::string& weight, const Tensor& x, const Tensor& dy,
                                const Gradients& gradients) const {
  if (Tensor* d_weight = gradient(weight, gradients)) {
    AFTUNE_TRY(at(weight + ": weight gradient",
                  numerics::linear_grad_weight(engine, matrix(dy), matrix(x), matrix(*d_weight),
                                               gradients.store)));
  }
  if (bias(weight) == nullptr) return ok();
  Tensor* d_bias = gradient(bias_of(weight), gradients);
  if (d_bias == nullptr) return ok();
  if (gradients.store == numerics::Store::kWrite) d_bias->clear();
  numerics::bias_grad(engine, matrix(dy), d_bias->f32());
  return ok();
}

Status SegmentCall::linear_grad(const std::string& weight, const Tensor& x, const Tensor& dy,
                                Tensor& dx, numerics::Store store,
                                const Gradients& gradients) const {
  AFTUNE_TRY(weight_grad(weight, x, dy, gradients));
  AFTUNE_TRY(
      at(weight + ": input gradient",
         model::linear_grad_input(engine, matrix(dy), parameter(weight), matrix(dx), store)));
  return adapter_grad(*this, weight, x, dy, dx, gradients);
}

Tensor SegmentCall::norm(const std::string& weight, const Tensor& x) const {
  Tensor y = token_rows(config.hidden_size);
  numerics::rms_norm(engine, matrix(x), parameter(weight).f32(), config.rms_norm_eps, matrix(y));
  return y;
}

void SegmentCall::norm_grad(const std::string& weight, const Tensor& x, const Tensor& dy,
                            Tensor& dx, numerics::Store store, const Gradients& gradients) const {
  Tensor unused;
  Tensor& weights = gradient_or(weight, gradients, unused);
  numerics::rms_norm_grad(engine, matrix(x), parameter(weight).f32(), config.rms_norm_eps,
                          matrix(dy), matrix(dx), store, weights.f32());
}

numerics::ConstMatrix SegmentCall::heads(const Tensor& x) const {
  return {x.data(), x.count() / config.head_dim, config.head_dim};
}

Tensor SegmentCall::norm_heads(const std::string& weight, const Tensor& x) const {
  Tensor y = token_rows(x.shape()[1]);
  const numerics::ConstMatrix in = heads(x);
  numerics::rms_norm(engine, in, parameter(weight).f32(), config.rms_norm_eps,
                     {y.data(), in.rows, in.cols});
  return y;
}

void SegmentCall::norm_heads_grad(const std::string& weight, const Tensor& x, Tensor& dy,
                                  const Gradients& gradients) const {
  Tensor unused;
  Tensor& weights = gradient_or(weight, gradients, unused);
  const numerics::ConstMatrix in = heads(x);
  numerics::rms_norm_grad(engine, in, parameter(weight).f32(), config.rms_norm_eps, heads(dy),
                          {dy.data(), in.rows, in.cols}, numerics::Store::kWrite, weights.f32());
}

}  // namespace aftune::model
