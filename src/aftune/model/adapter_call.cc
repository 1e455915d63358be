// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/adapter_call.h"

#include "aftune/base/check.h"
#include "aftune/model/lora.h"
#include "aftune/model/segment_call.h"
#include "aftune/numerics/elementwise.h"
#include "aftune/numerics/product.h"

namespace aftune::model {
namespace {

using numerics::Store;

/// The tensors of one target; `a` null if the weight has no adapter.
struct Target {
  Target(const SegmentCall& call, const std::string& weight) {
    if (call.adapters == nullptr) return;
    a_name = lora_a_name(weight);
    a = call.parameters.find_trained(a_name);
    if (a == nullptr) return;
    b_name = lora_b_name(weight);
    b = call.parameters.find_trained(b_name);
    AFTUNE_CHECK(b != nullptr, b_name);
    mask = call.adapters->dropout;
    mask.place = lora_place(weight);
  }
  [[nodiscard]] bool drops() const { return mask.share > 0; }

  std::string a_name, b_name;
  const Tensor* a = nullptr;
  const Tensor* b = nullptr;
  numerics::DropoutMask mask;
};

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

}  // namespace

Status add_adapter(const SegmentCall& call, const std::string& weight, const Tensor& x, Tensor& y) {
  const Target target(call, weight);
  if (target.a == nullptr) return ok();
  Tensor space;
  AFTUNE_TRY(const Tensor a, inner(call, target, dropped(call, target, x, space)));
  return at(target.b_name + ": product",
            numerics::linear(call.engine, matrix(a), matrix(*target.b), matrix(y), Store::kAdd));
}

Status adapter_grad(const SegmentCall& call, const std::string& weight, const Tensor& x,
                    const Tensor& dy, Tensor& dx, const Gradients& gradients) {
  const Target target(call, weight);
  if (target.a == nullptr) return ok();
  Tensor space;
  const Tensor& h = dropped(call, target, x, space);
  {
    AFTUNE_TRY(const Tensor a, inner(call, target, h));
    AFTUNE_TRY(
        at(target.b_name + ": weight gradient",
           numerics::linear_grad_weight(call.engine, matrix(dy), matrix(a),
                                        matrix(gradients.of(target.b_name)), gradients.store)));
  }
  Tensor da = call.token_rows(target.a->shape()[0]);
  AFTUNE_TRY(at(target.b_name + ": input gradient",
                numerics::linear_grad_input(call.engine, matrix(dy), matrix(*target.b), matrix(da),
                                            Store::kWrite)));
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

}  // namespace aftune::model
