// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/state_view.h"

#include "aftune/base/check.h"

namespace aftune::trace {

TensorMap& part_of(train::BlockState& state, Role role) {
  switch (role) {
    case Role::kParameter:
      return state.parameters;
    case Role::kFirst:
      return state.first;
    case Role::kSecond:
      return state.second;
  }
  return state.parameters;
}

const TensorMap& part_of(const train::BlockState& state, Role role) {
  return part_of(const_cast<train::BlockState&>(state), role);
}

TensorView state_view(const train::BlockState& state, const StateTensor& tensor) {
  const TensorMap& part = part_of(state, tensor.role);
  const auto found = part.find(tensor.spec.name);
  AFTUNE_CHECK(found != part.end(), "a state lacks a tensor of its contract");
  return found->second.view();
}

}  // namespace aftune::trace
