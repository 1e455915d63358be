// SPDX-License-Identifier: Apache-2.0
// One audit: whole-run checks, the draw, the replays, the verdict. docs/formats/audit.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "aftune/audit/draw.h"
#include "aftune/audit/manifest.h"
#include "aftune/audit/timing.h"
#include "aftune/audit/verdict.h"
#include "aftune/numerics/engine.h"
#include "aftune/trace/run_folder.h"

namespace aftune::audit {

/// What to audit. At most one of secret, challenge, all and blocks says which blocks are replayed
/// (but blocks beside a challenge are replayed in place of its own); with none, only the whole-run
/// checks are made.
struct AuditRequest {
  const trace::Contract& contract;  // signatures verified
  trace::RunFolder run;             // the provider's answer
  std::optional<Path> secret;       // the client's secret file
  bool all = false;
  std::vector<BlockIndex> blocks;  // by hand
  std::uint64_t draw_count = 0;    // with secret: at least the policy's; 0: the policy's
  std::optional<Path> delivered;
  std::optional<Path> data;  // the client's copy; else the run's, checked alike
  std::int64_t now = 0;      // seconds since 1970
  std::function<void(const ReplayedBlock&)> on_block;
  std::vector<Path> witnesses = {};     // witnesses' state folders, folders of notes, notes
  std::vector<std::string> notes = {};  // further notes of the provider's, as text
  std::optional<SignedChallenge> challenge = {};  // in place of `secret`: its blocks are replayed
  std::optional<SignedManifest> manifest = {};    // the provider's answer to the challenge
  std::vector<SignedTiming> timings = {};         // of the challenge
};

/// Errors: kInvalidInput for a request that makes no sense (a block outside the grid, another
///         contract's secret, a data set of the client's that is not the contract's); kNotFound for
///         a run or delivered folder that does not exist; what the provider handed over never gives
///         an error, but a verdict.
Result<Verdict> audit_run(const AuditRequest& request, const numerics::Engine& engine);

}  // namespace aftune::audit
