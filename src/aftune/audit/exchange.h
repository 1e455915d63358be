// SPDX-License-Identifier: Apache-2.0
// The two sides of a challenge: the client makes it, the provider answers it or refuses.
// Rules: docs/formats/challenge.md.
#pragma once

#include <vector>

#include "aftune/audit/manifest.h"
#include "aftune/tlog/tiles.h"

namespace aftune::audit {

/// What a client asks for.
struct ChallengeRequest {
  const trace::Contract& contract;
  trace::RunFolder run;         // its log at least, as the provider shows it
  Path secret;                  // shown from now on
  std::vector<Path> witnesses;  // as in AuditRequest
  std::uint64_t count = 0;      // blocks; the policy's if that is more
  std::int64_t now = 0;         // seconds since 1970
};

/// The challenge for the final checkpoint, which is stored beside the secret first, with the
/// cosignatures that there are.
/// Errors: kInvalidInput for a run that is not closed or another secret; kCorrupt for a log that
///         does not hold or is not the one that was drawn for; kUnavailable where the witnesses
///         that the contract asks for do not attest the log: then the secret stays one.
Result<Challenge> make_challenge(const ChallengeRequest& request);

/// Whether the provider may do anything for a challenge: `log` is its run's.
/// Errors: kInvalidInput for a challenge of another checkpoint or with blocks that do not follow.
Status accept_challenge(const trace::RunFolder& run, const trace::Contract& contract,
                        const tlog::LogReading& log, const SignedChallenge& challenge);

/// The provider's answer from its own run.
/// Errors: kInvalidInput, and nothing is shown, for a challenge of another checkpoint or with
///         blocks that do not follow from it; those of make_manifest.
Result<Manifest> make_answer(const trace::RunFolder& run, const trace::Contract& contract,
                             const SignedChallenge& challenge);

}  // namespace aftune::audit
