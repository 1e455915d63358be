// SPDX-License-Identifier: Apache-2.0
// What a provider might do, and which blocks are bad then: docs/guides/plan.md, "Threats".
#pragma once

#include <string>
#include <string_view>

#include "aftune/audit/detection.h"
#include "aftune/audit/plan_grid.h"

namespace aftune::audit {

enum class ThreatKind : std::uint8_t {
  kBlocks,
  kEditedState,
  kActivation,
  kStepsSkipped,
  kSamplesPoisoned,
  kLayersReplaced,
  kParametersEdited,
  kModelSwapped,
  kEverywhere,
};

/// One threat with its strength: a count, or a share of the whole in (0, 1].
struct Threat {
  ThreatKind kind = ThreatKind::kBlocks;
  double share = 0;
  std::uint64_t count = 0;
};

/// "steps-skipped=0.5". Errors: kInvalidInput, naming the threats that are known or the value that
///         does not fit.
Result<Threat> parse_threat(std::string_view text);
std::string spell_threat(const Threat& threat);

/// The fewest bad blocks that the threat makes, where this strategy finds them last.
/// Errors: kInvalidInput for more blocks or layers than there are.
Result<BadBlocks> bad_blocks(const Threat& threat, const PlanGrid& grid);

}  // namespace aftune::audit
