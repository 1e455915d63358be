// SPDX-License-Identifier: Apache-2.0
// The contract that entries and lists are read against: that of examples/tiny.
#pragma once

#include "aftune/trace/contract.h"

namespace aftune::fuzz {

const trace::Contract& tiny_contract();

}  // namespace aftune::fuzz
