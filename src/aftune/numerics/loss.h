// SPDX-License-Identifier: Apache-2.0
// Softmax cross-entropy. Definition: docs/formats/exact-arithmetic.md, "loss".
#pragma once

#include <cstdint>
#include <span>

#include "aftune/base/result.h"
#include "aftune/numerics/engine.h"
#include "aftune/numerics/matrix.h"

namespace aftune::numerics {

inline constexpr std::int32_t kIgnoredLabel = -100;

/// The sum over rows with a label (not kIgnoredLabel) of -log softmax(logits)[label], divided by
/// `counted` (the counted tokens of the whole step), rounded once to fp32. If `gradient` is set,
/// logits are replaced by (softmax - onehot) * fp32(1 / counted), rows without a label by +0.
/// Requires: labels in [0, V) or kIgnoredLabel; counted >= 1.
/// Errors: kNonFinite.
Result<float> cross_entropy(const Engine& engine, Matrix logits_TV,
                            std::span<const std::int32_t> labels, std::uint64_t counted,
                            bool gradient);

}  // namespace aftune::numerics
