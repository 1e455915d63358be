// SPDX-License-Identifier: Apache-2.0
// The fp32 numbers that an optimizer step is made of, apart from the tensors.
#pragma once

namespace aftune::numerics {

/// The scalars of one AdamW step, all rounded to fp32 from fp64 by adamw_scalars().
struct AdamWScalars {
  float clip;  // factor on the gradient
  float beta1, one_minus_beta1;
  float beta2, one_minus_beta2;
  float step_size;  // lr / (1 - beta1^t)
  float root_bc2;   // sqrt(1 - beta2^t)
  float eps;
  float decay;  // 1 - lr * weight_decay
};

struct SgdScalars {
  float clip;
  float lr;
  float decay;     // weight decay added to the gradient, as PyTorch's SGD has it
  float momentum;  // 0: none, `buffer` is not looked at
  bool nesterov = false;
};

}  // namespace aftune::numerics
