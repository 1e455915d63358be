// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/adapter_call.h"

#include <utility>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/model/lora.h"
#include "aftune/model/peft_names.h"
#include "aftune/model/segment_call.h"
#include "aftune/model/segment_function.h"
#include "aftune/numerics/elementwise.h"
#include "aftune/numerics/product.h"

namespace aftune::model {
namespace {

using numerics::Store;

/// An adapter beside a weight, or beside half of its outputs.
struct Target {
  [[nodiscard]] bool drops() const { return mask.share > 0; }
  /// Its outputs among those of the weight.
  [[nodiscard]] numerics::ConstMatrix outputs(const Tensor& y) const {
    const std::size_t width = y.shape()[1];
    return {y.data() + first, y.shape()[0], b->shape()[0], width};
  }
  [[nodiscard]] numerics::Matrix outputs(Tensor& y) const {
    const std::size_t width = y.shape()[1];
    return {y.data() + first, y.shape()[0], b->shape()[0], width};
  }

  std::string a_name, b_name;
  const Tensor* a = nullptr;
  const Tensor* b = nullptr;
  std::size_t first = 0;
  numerics::DropoutMask mask;
};

/// Those that stand beside `weight`, of `outputs` rows.
std::vector<Target> targets_of(const SegmentCall& call, const std::string& weight,
                               std::size_t outputs) {
  std::vector<Target> out;
  if (call.adapters == nullptr) return out;
  for (const PeftModule& module : peft_modules(weight, outputs)) {
    Target target;
    target.a_name = lora_a_name(module.weight);
    target.a = call.parameters.find_trained(target.a_name);
    if (target.a == nullptr) continue;
    target.b_name = lora_b_name(module.weight);
    target.b = call.parameters.find_trained(target.b_name);
    AFTUNE_CHECK(target.b != nullptr, target.b_name);
    target.first = module.first_row;
    target.mask = call.adapters->dropout;
    target.mask.place = lora_place(module.weight);
    out.push_back(std::move(target));
  }
  return out;
}

void scale(Tensor& tensor, float scaling) {
  for (float& value : tensor.f32()) value *= scaling;
}

/// drop(x), which without dropout is x itself.
const Tensor& dropped(const SegmentCall& call, const Target& target, const Tensor& x,
                      Tensor& space) {
  if (!target.drops()) return x;
  space = call.token_rows(x.shape()[1]);
  numerics::dropout(call.engine, target.mask, matrix(x), matrix(space));
  return space;
}

/// scaling A h
Result<Tensor> inner(const SegmentCall& call, const Target& target, const Tensor& h) {
  Tensor out = call.token_rows(target.a->shape()[0]);
  AFTUNE_TRY(
      at(target.a_name + ": product",
         numerics::linear(call.engine, matrix(h), matrix(*target.a), matrix(out), Store::kWrite)));
  scale(out, call.adapters->scaling);
  return out;
}

Status target_grad(const SegmentCall& call, const Target& target, const Tensor& x,
                   numerics::ConstMatrix dy, Tensor& dx, const Gradients& gradients) {
  Tensor space;
  const Tensor& h = dropped(call, target, x, space);
  {
    AFTUNE_TRY(const Tensor a, inner(call, target, h));
    AFTUNE_TRY(
        at(target.b_name + ": weight gradient",
           numerics::linear_grad_weight(call.engine, dy, matrix(a),
                                        matrix(gradients.of(target.b_name)), gradients.store)));
  }
  Tensor da = call.token_rows(target.a->shape()[0]);
  AFTUNE_TRY(at(
      target.b_name + ": input gradient",
      numerics::linear_grad_input(call.engine, dy, matrix(*target.b), matrix(da), Store::kWrite)));
  scale(da, call.adapters->scaling);
  AFTUNE_TRY(
      at(target.a_name + ": weight gradient",
         numerics::linear_grad_weight(call.engine, matrix(da), matrix(h),
                                      matrix(gradients.of(target.a_name)), gradients.store)));
  Tensor& dh = target.drops() ? space : dx;  // h is no longer needed
  const Store store = target.drops() ? Store::kWrite : Store::kAdd;
  AFTUNE_TRY(at(
      target.a_name + ": input gradient",
      numerics::linear_grad_input(call.engine, matrix(da), matrix(*target.a), matrix(dh), store)));
  if (!target.drops()) return ok();
  numerics::dropout(call.engine, target.mask, matrix(dh), matrix(dh));
  numerics::add(call.engine, dx.f32(), dh.f32(), dx.f32());
  return ok();
}

}  // namespace

std::optional<AdapterRule> adapter_rule(const Llama& model, const MicroBatch& batch) {
  if (!model.lora) return std::nullopt;
  return AdapterRule{lora_scaling(*model.lora),
                     {model.dropout_key, batch.index, 0, batch.step, model.lora->dropout}};
}

std::optional<AdapterRule> without_dropout(std::optional<AdapterRule> rule) {
  if (rule) rule->dropout.share = 0;
  return rule;
}

Status add_adapter(const SegmentCall& call, const std::string& weight, const Tensor& x, Tensor& y) {
  for (const Target& target : targets_of(call, weight, y.shape()[1])) {
    Tensor space;
    AFTUNE_TRY(const Tensor a, inner(call, target, dropped(call, target, x, space)));
    AFTUNE_TRY(
        at(target.b_name + ": product", numerics::linear(call.engine, matrix(a), matrix(*target.b),
                                                         target.outputs(y), Store::kAdd)));
  }
  return ok();
}

Status adapter_grad(const SegmentCall& call, const std::string& weight, const Tensor& x,
                    const Tensor& dy, Tensor& dx, const Gradients& gradients) {
  for (const Target& target : targets_of(call, weight, dy.shape()[1])) {
    AFTUNE_TRY(target_grad(call, target, x, target.outputs(dy), dx, gradients));
  }
  return ok();
}

}  // namespace aftune::model
