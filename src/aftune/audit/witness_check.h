// SPDX-License-Identifier: Apache-2.0
// What witnesses saw of a log, against the log that is shown: docs/formats/witness.md section 5.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "aftune/audit/judge.h"
#include "aftune/audit/whole_run.h"
#include "aftune/tlog/cosignature.h"
#include "aftune/tlog/tiles.h"

namespace aftune::audit {

/// A checkpoint that the provider signed, as somebody kept it, with the cosignatures on it.
struct KeptCheckpoint {
  Path file;
  tlog::Checkpoint checkpoint;
  tlog::SignedNote note;
};

/// Reads notes from witnesses' state folders, folders of notes, and single files; `notes` are
/// texts of further ones.
/// Errors: kNotFound; kInvalidInput for a note that the log's key did not sign: a mistake of the
///         caller, and no evidence; kUnavailable.
Result<std::vector<KeptCheckpoint>> read_kept_checkpoints(const std::vector<Path>& places,
                                                          const std::vector<std::string>& notes,
                                                          const tlog::VerifierKey& log);

/// Until when each witness must have cosigned the end, by the spelling of its key, beside
/// `closes_by` and the time of the audit.
using WitnessLimits = std::map<std::string, std::uint64_t>;

/// Rejects a shown log that another note of the provider's contradicts; leaves the verdict open
/// where the witnesses that the contract asks for do not attest it.
void check_witnesses(const trace::Contract& contract, const std::vector<KeptCheckpoint>& kept,
                     const tlog::LogReading& log, const RunFacts& facts, std::int64_t now,
                     const WitnessLimits& limits, Verdict& verdict, Judge& judge);

}  // namespace aftune::audit
