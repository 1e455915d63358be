// SPDX-License-Identifier: Apache-2.0
// How likely a draw meets a bad block: docs/guides/plan.md, "Chances".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aftune/trace/contract.h"

namespace aftune::audit {

/// 1 - C(total - bad, sampled) / C(total, sampled): chance that a uniform draw of `sampled` blocks
/// meets one of `bad`. Requires: bad and sampled at most total.
double detection_probability(std::uint64_t total, std::uint64_t bad, std::uint64_t sampled);

/// Six digits after the point, rounded down: a chance is never called greater than it is.
std::string spell_probability(double probability);

/// How many blocks of each layer block are bad.
using BadBlocks = std::vector<std::uint64_t>;
std::uint64_t count_of(const BadBlocks& bad);

/// Chance that none of the first `sampled` blocks of the strategy's permutation is bad. For
/// kStateChanges, whose weights the provider's norms give, the greatest that it can be.
/// Requires: entries of `bad` at most step_blocks; sampled at most the number of blocks.
double missed_probability(trace::Strategy strategy, std::uint64_t step_blocks, const BadBlocks& bad,
                          std::uint64_t sampled);

/// The fewest blocks with which the draw meets a bad one with `probability` or more.
/// Requires: 0 < probability < 1 and at least one bad block.
std::uint64_t blocks_needed(trace::Strategy strategy, std::uint64_t step_blocks,
                            const BadBlocks& bad, double probability);

}  // namespace aftune::audit
