// SPDX-License-Identifier: Apache-2.0
// The provider's answer to a challenge, before anything of it is opened: deadline, manifest, what
// arrived. Rules: docs/formats/challenge.md, "What an audit makes of them".
#pragma once

#include <string>
#include <vector>

#include "aftune/audit/auditor.h"
#include "aftune/audit/judge.h"
#include "aftune/audit/witness_check.h"

namespace aftune::audit {

/// Requires: request.challenge. Afterwards the judge knows whether absence counts against the
/// provider. `entries` are those of the log that is shown; `is_due`: the challenge is known to be
/// the draw's, so that its deadline counts.
void check_answer(const AuditRequest& request, const std::vector<std::string>& entries, bool is_due,
                  Judge& judge);

/// Each witness's time of receiving the challenge: the end of the log must be older.
WitnessLimits limits_of(const std::vector<SignedTiming>& timings);

}  // namespace aftune::audit
