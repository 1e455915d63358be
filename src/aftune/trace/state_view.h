// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aftune/trace/list.h"
#include "aftune/train/optimizer.h"

namespace aftune::trace {

/// The map of a state that holds tensors of `role`.
TensorMap& part_of(train::BlockState& state, Role role);
const TensorMap& part_of(const train::BlockState& state, Role role);

/// One tensor of a state. Requires: the state is complete for its contract.
TensorView state_view(const train::BlockState& state, const StateTensor& tensor);

}  // namespace aftune::trace
