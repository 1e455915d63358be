// SPDX-License-Identifier: Apache-2.0
// Grouped-query attention. Definition: docs/formats/exact-arithmetic.md, "attention".
#pragma once

#include <cstddef>
#include <cstdint>

#include "aftune/base/result.h"
#include "aftune/numerics/engine.h"

namespace aftune::numerics {

/// Which keys of its sequence query i sees.
enum class Mask : std::uint8_t {
  kCausal,  // 0 .. i
  kFull,    // all
};

struct AttentionShape {
  std::size_t batch, sequence, heads, kv_heads, head_dim;
  float scale;  // multiplied into the scores, one rounding; HF: head_dim^-0.5
  Mask mask = Mask::kCausal;
};

/// q [batch*sequence, heads*head_dim], k and v [batch*sequence, kv_heads*head_dim], o as q; all
/// dense. The bits of a row of o depend on its query and the keys and values that it sees only.
/// Errors: kNonFinite.
Status attention(const Engine& engine, const AttentionShape& shape, const float* q, const float* k,
                 const float* v, float* o);

/// Gradients; dq, dk, dv are written. `o` is the forward's output. Heads that share a key/value
/// head are summed in ascending order. Errors: kNonFinite.
Status attention_grad(const Engine& engine, const AttentionShape& shape, const float* q,
                      const float* k, const float* v, const float* o, const float* d_o, float* dq,
                      float* dk, float* dv);

}  // namespace aftune::numerics
