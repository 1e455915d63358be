// SPDX-License-Identifier: Apache-2.0
// Fp32 values in two bytes each: BF16 by rounding, and BF16 and F16 exactly back.
#pragma once

#include <span>

#include "aftune/tensor/tensor.h"

namespace aftune {

/// Whether elements of this type become fp32 by widen().
[[nodiscard]] bool is_narrow(Dtype dtype);

/// Each element of `values` rounded to BF16: docs/formats/exact-arithmetic.md, "Rounding to bf16".
/// What is too large becomes an infinity; NaNs are not looked for.
/// Requires: dtype kF32.
Tensor round_to_bf16(const Tensor& values);

/// Whether no element of a BF16 tensor is an infinity or a NaN.
[[nodiscard]] bool all_finite_bf16(const Tensor& values);

/// Writes the fp32 value of each element of `narrow`, exactly; NaNs keep their bits.
/// Requires: is_narrow(dtype); two bytes for each element of `out`.
void widen(Dtype dtype, Bytes narrow, std::span<float> out);

}  // namespace aftune
