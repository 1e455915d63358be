// SPDX-License-Identifier: Apache-2.0
// What every operation of one segment call shares, and the operations that use a parameter. Inside
// the model module only; the order in which they are called is docs/formats/llama.md.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "aftune/model/adapter_call.h"
#include "aftune/model/llama_config.h"
#include "aftune/model/parameter_view.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/matrix.h"
#include "aftune/tensor/tensor_map.h"

namespace aftune::model {

/// An fp32 tensor as numerics takes it: the first axis, and all others as one.
/// Requires: two axes or more.
numerics::ConstMatrix matrix(const Tensor& tensor);
numerics::Matrix matrix(Tensor& tensor);

/// `status`, where a kNonFinite gets the text "PLACE: non-finite value" and nothing else: it goes
/// into abort entries, which must not depend on which thread met which element first.
template <typename T>
Result<T> at(std::string_view place, Result<T> result) {
  if (result) return result;
  if (result.error().code != Code::kNonFinite) return std::move(result).in(std::string(place));
  return Error{Code::kNonFinite, std::string(place) + ": non-finite value"};
}

/// fp32(1 / sqrt(head_dim)), by fp64.
float attention_scale(const LlamaConfig& config);

/// Where the gradients of what is trained go.
struct Gradients {
  TensorMap& tensors;
  numerics::Store store;  // kWrite: a parameter's first term replaces what stands there

  /// Requires: the gradient is there.
  [[nodiscard]] Tensor& of(std::string_view name) const;
};

/// Borrows everything; lives as long as one forward or backward.
struct SegmentCall {
  const numerics::Engine& engine;
  const LlamaConfig& config;
  const ParameterView parameters;
  std::size_t rows;
  std::size_t sequence;
  const Tensor& cos;  // [sequence, head_dim / 2]; with documents [rows * sequence, head_dim / 2]
  const Tensor& sin;
  const AdapterRule* adapters = nullptr;            // null: none is applied
  std::span<const std::size_t> document_ends = {};  // as MicroBatch's

  /// [rows * sequence, width], to be written as a whole.
  [[nodiscard]] Tensor token_rows(std::size_t width) const;
  /// Requires: the parameter is there.
  [[nodiscard]] const Tensor& parameter(std::string_view name) const;

  /// Where the gradient of the base's `name` goes; null if it is frozen.
  [[nodiscard]] Tensor* gradient(std::string_view name, const Gradients& gradients) const;

  /// y = x w^T, or y + x w^T; then the weight's bias and adapter, where it has them.
  /// Requires: no bias where the product is added. A weight of more than two axes is a matrix of
  /// its first axis and all others.
  [[nodiscard]] Status linear(const std::string& weight, const Tensor& x, Tensor& y,
                              numerics::Store store) const;
  /// Writes or adds dy^T x to the weight's gradient and dy's rows to that of its bias, where they
  /// are trained, then dy w to dx, then the same of an adapter.
  [[nodiscard]] Status linear_grad(const std::string& weight, const Tensor& x, const Tensor& dy,
                                   Tensor& dx, numerics::Store store,
                                   const Gradients& gradients) const;
  /// The first two of these.
  [[nodiscard]] Status weight_grad(const std::string& weight, const Tensor& x, const Tensor& dy,
                                   const Gradients& gradients) const;

  [[nodiscard]] Tensor norm(const std::string& weight, const Tensor& x) const;
  /// Writes or adds to dx and to the weight's gradient.
  void norm_grad(const std::string& weight, const Tensor& x, const Tensor& dy, Tensor& dx,
                 numerics::Store store, const Gradients& gradients) const;

  /// The gradient of a tensor, cleared where it is written; that of a frozen one goes to `unused`.
  [[nodiscard]] Tensor& gradient_or(const std::string& weight, const Gradients& gradients,
                                    Tensor& unused) const;

  /// The norm of each head of each row.
  [[nodiscard]] Tensor norm_heads(const std::string& weight, const Tensor& x) const;
  /// Turns dy into dx; writes or adds to the weight's gradient.
  void norm_heads_grad(const std::string& weight, const Tensor& x, Tensor& dy,
                       const Gradients& gradients) const;

 private:
  /// Null if the weight has no bias.
  [[nodiscard]] const Tensor* bias(const std::string& weight) const;
  [[nodiscard]] numerics::ConstMatrix heads(const Tensor& x) const;
};

}  // namespace aftune::model
