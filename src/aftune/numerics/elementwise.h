// SPDX-License-Identifier: Apache-2.0
// Operations on each element or each row. Definitions: docs/formats/exact-arithmetic.md.
#pragma once

#include <cstdint>
#include <span>

#include "aftune/base/result.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/matrix.h"

namespace aftune::numerics {

// Shape letters: T token rows, D width, V vocabulary.

/// Requires: equal lengths, no overlap.
void copy(const Engine& engine, std::span<const float> from, std::span<float> to);

/// out = a + b. Requires: equal lengths; out may be a or b.
void add(const Engine& engine, std::span<const float> a, std::span<const float> b,
         std::span<float> out);

/// out = silu(gate) * up. Requires: equal lengths.
void swiglu(const Engine& engine, std::span<const float> gate, std::span<const float> up,
            std::span<float> out);
/// d_gate and d_up are written; either may be d_out.
void swiglu_grad(const Engine& engine, std::span<const float> gate, std::span<const float> up,
                 std::span<const float> d_out, std::span<float> d_gate, std::span<float> d_up);

/// out = gelu(x), the exact one. Requires: equal lengths; out may be x.
void gelu(const Engine& engine, std::span<const float> x, std::span<float> out);
/// dx = dy times gelu's slope at x. dx may be dy.
void gelu_grad(const Engine& engine, std::span<const float> x, std::span<const float> dy,
               std::span<float> dx);

/// y = x * (1 / sqrt(mean(x^2) + eps)) * w, row by row.
void rms_norm(const Engine& engine, ConstMatrix x_TD, std::span<const float> w_D, float eps,
              Matrix y_TD);
/// dx is written or added; dw is added to. Recomputes the row scales from x.
void rms_norm_grad(const Engine& engine, ConstMatrix x_TD, std::span<const float> w_D, float eps,
                   ConstMatrix dy_TD, Matrix dx_TD, Store store, std::span<float> dw_D);

/// cos and sin of fp32(position) * inv_freq[i] rounded to fp32, [positions, inv_freq.size()]
/// each, for positions first_position + row.
void rotary_table(std::span<const float> inv_freq, std::uint64_t first_position, Matrix cos,
                  Matrix sin);
/// Rotates each head of each row in place, pairs (i, i + head_dim/2) as Hugging Face has it. Row
/// r of x uses row r % cos.rows of the tables. `direction` +1 turns forward, -1 is the gradient.
void rotary(const Engine& engine, Matrix x, std::size_t head_dim, ConstMatrix cos, ConstMatrix sin,
            int direction);

/// out row t = table row ids[t]. Requires: ids < table.rows.
void embedding(const Engine& engine, ConstMatrix table_VD, std::span<const std::int32_t> ids,
               Matrix out_TD);
/// Adds row t of d_out to d_table row ids[t]: for each id in ascending t, one addition a token.
void embedding_grad(const Engine& engine, std::span<const std::int32_t> ids, ConstMatrix d_out_TD,
                    Matrix d_table_VD);

/// Whether every value is finite.
[[nodiscard]] bool all_finite(const Engine& engine, std::span<const float> values);

}  // namespace aftune::numerics
