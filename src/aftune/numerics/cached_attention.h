// SPDX-License-Identifier: Apache-2.0
// Attention of a few new tokens to those before them. Definition:
// docs/formats/exact-arithmetic.md, "attention".
#pragma once

#include <span>

#include "aftune/base/result.h"
#include "aftune/numerics/attention.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/key_value_cache.h"
#include "aftune/numerics/matrix.h"

namespace aftune::numerics {

/// Queries at the last q.rows positions of a cache. q and o: rows of heads * head_dim.
struct CachedQueries {
  const KeyValueCache* cache;
  ConstMatrix q;
  Matrix o;
};

/// Rows of attention() for several sequences: those of the last positions, with the same bits.
/// shape.batch and shape.sequence are not looked at. Requires: the causal mask; caches of shape's
/// kv_heads and head_dim, with as many positions as their queries at least.
/// Errors: kNonFinite.
Status attention_cached(const Engine& engine, const AttentionShape& shape,
                        std::span<const CachedQueries> sequences);

}  // namespace aftune::numerics
