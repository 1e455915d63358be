// SPDX-License-Identifier: Apache-2.0
// Entries behind a REJECT, each with its inclusion proof: docs/formats/audit.md, "Verdict file".
#pragma once

#include <vector>

#include "aftune/audit/verdict.h"
#include "aftune/tlog/tiles.h"
#include "aftune/trace/contract.h"

namespace aftune::audit {

/// The entries that commit to what the blocks that did not hold take and make.
std::vector<EntryProof> evidence_of(const trace::Contract& contract, const tlog::LogReading& log,
                                    const std::vector<ReplayedBlock>& blocks);

}  // namespace aftune::audit
