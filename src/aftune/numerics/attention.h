// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention. Definition: docs/formats/exact-arithmetic.md, "attention".
#pragma once

#include "aftune/base/result.h"
#include "aftune/numerics/engine.h"

namespace aftune::numerics {

struct AttentionShape {
  std::size_t batch, sequence, heads, kv_heads, head_dim;
  float scale;  // multiplied into the scores, one rounding; HF: head_dim^-0.5
};

/// q [batch*sequence, heads*head_dim], k and v [batch*sequence, kv_heads*head_dim], o as q; all
/// dense. Query i of a sequence sees keys 0..i. The bits of row i depend on keys 0..i only.
/// Errors: kNonFinite.
Status attention(const Engine& engine, const AttentionShape& shape, const float* q, const float* k,
                 const float* v, float* o);

/// Gradients; dq, dk, dv are written. `o` is the forward's output. Heads that share a key/value
/// head are summed in ascending order. Errors: kNonFinite.
Status attention_grad(const Engine& engine, const AttentionShape& shape, const float* q,
                      const float* k, const float* v, const float* o, const float* d_o, float* dq,
                      float* dk, float* dv);

/// One query row against the first `key_count` keys of a cache (rows of kv_heads*head_dim): the
/// bits of row key_count-1 of attention(). shape.batch and shape.sequence are not looked at.
Status attention_decode(const Engine& engine, const AttentionShape& shape, std::size_t key_count,
                        const float* q, const float* k, const float* v, float* o);

}  // namespace aftune::numerics
