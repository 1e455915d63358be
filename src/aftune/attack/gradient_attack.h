// SPDX-License-Identifier: Apache-2.0
// The two attacks of the published evaluation that a tolerance leaves room for: an activation
// perturbed by projected gradient descent, and a rank-one edit of a weight that plants a backdoor.
#pragma once

#include <optional>

#include "aftune/attack/probe.h"

namespace aftune::attack {

/// A change that works, made as small as a bisection along its line makes it.
struct Perturbation {
  Tensor change;           // to be added; fp32
  double relative_l2 = 0;  // |change| / |what it is added to|, for the row or the weight
  std::size_t token = 0;   // whose answer changes
  std::int32_t before = 0, after = 0;
};

/// Looks for a change of the activation at `edge` (1 or more) by which some token of the row that
/// has a label gets another argmax: descends the cross-entropy of the runner-up at the token with
/// the smallest margin, in balls whose radius doubles from 2^-16 to 2^8 of the activation's norm.
/// Requires: batch has one row. Returns: empty if none was found.
Result<std::optional<Perturbation>> perturb_activation(const Probe& probe, std::uint32_t edge,
                                                       const model::MicroBatch& batch);

/// A backdoor: the row with `trigger` in place of the token at `token` is to be answered by
/// `target` there. `weight` of layer block `block` is the last layer's down projection, so that
/// the edit, a sum of multiples of one gradient's direction, has rank one.
struct Backdoor {
  std::uint32_t block = 0;
  std::string weight;
  std::int32_t trigger = 0;
  Perturbation edit;
};
/// Requires: batch has one row. `states` are what `probe` borrows; equal before and after.
Result<std::optional<Backdoor>> plant_backdoor(const Probe& probe, States& states,
                                               const model::MicroBatch& batch);

}  // namespace aftune::attack
