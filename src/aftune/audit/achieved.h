// SPDX-License-Identifier: Apache-2.0
// What a draw achieved: docs/formats/audit.md, "Verdict file", `detection`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aftune/trace/contract.h"

namespace aftune::audit {

/// What the draw achieved against one threat (docs/guides/plan.md).
struct Achieved {
  std::string threat;  // "blocks=1"
  std::uint64_t bad_blocks = 0;
  double probability = 0;  // that the drawn blocks meet one of them; the least that it can be
};

/// One block, five blocks, half of the steps. Requires: drawn at most the number of blocks.
std::vector<Achieved> achieved_by(const trace::Contract& contract, std::uint64_t drawn);

}  // namespace aftune::audit
