// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aftune/trace/openings.h"
#include "aftune/trace/rebuild_plan.h"

namespace aftune::trace {

/// What lies in a run's store, by name: nothing is read but lists. Where a list cannot be read the
/// answer is yes, so that opening what it names says why. Both arguments are borrowed.
/// Cost: a look-up in the file system for each object asked about, and each list once.
Stock stock_of(const Contract& contract, const Openings& openings);

}  // namespace aftune::trace
