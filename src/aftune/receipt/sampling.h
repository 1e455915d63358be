// SPDX-License-Identifier: Apache-2.0
// From logits to a token, the same decision on every machine: docs/formats/sampling.md.
#pragma once

#include <cstdint>
#include <span>

#include "aftune/base/result.h"
#include "aftune/codec/json.h"
#include "aftune/codec/json_reader.h"

namespace aftune::receipt {

/// Neutral values: the most likely token.
struct SamplingRule {
  double temperature = 0;
  std::uint32_t top_k = 0;
  double top_p = 1;
  double repetition_penalty = 1;
  friend bool operator==(const SamplingRule&, const SamplingRule&) = default;
};

/// Errors: kInvalidInput, naming the member and its limits.
Status check_sampling(const SamplingRule& rule);

codec::Json to_json(const SamplingRule& rule);
/// Errors: kInvalidInput for another member, or as check_sampling.
Result<SamplingRule> read_sampling(codec::JsonReader reader);

/// The token after `before` (prompt and output so far).
/// Requires: a rule that check_sampling lets through; finite logits, at least one; ids of `before`
///           below their number.
/// Threads: pure. Cost: a pass over the logits; with a temperature an exponential for each of them.
std::int32_t choose_token(std::span<const float> logits, std::span<const std::int32_t> before,
                          const SamplingRule& rule, std::uint64_t seed);

}  // namespace aftune::receipt
