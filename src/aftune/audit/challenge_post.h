// SPDX-License-Identifier: Apache-2.0
// Where a witness keeps a challenge and its answer for both sides to see, and says when it had
// them: docs/formats/challenge.md, "Timing".
#pragma once

#include <string>

#include "aftune/audit/manifest.h"
#include "aftune/audit/timing.h"

namespace aftune::audit {

/// One challenge in a witness's state folder. Threads: one at a time; the caller holds the lock.
class ChallengePost {
 public:
  /// Takes the challenge at `now` (seconds since 1970), durably, unless it is there already.
  /// Errors: kUnavailable; kCorrupt for a folder that does not hold.
  static Result<ChallengePost> take(const Path& state, const SignedChallenge& challenge,
                                    std::int64_t now);

  /// Takes the first manifest for it. Errors: kInvalidInput for another one after the first;
  /// kUnavailable, also for a clock that went back.
  Status take_manifest(std::string_view envelope, const SignedManifest& manifest, std::int64_t now);

  /// Says what is there at `now`; the envelope is durable in `timing.json` when this returns.
  /// Errors: kUnavailable, also for a clock that went back.
  Result<std::string> state_timing(const trace::Contract& contract,
                                   const crypto::PrivateKey& witness, const std::string& name,
                                   std::int64_t now);

  [[nodiscard]] const Path& folder() const { return folder_; }

 private:
  Path folder_;
  Timing timing_;
};

/// Where the files of a challenge lie inside a witness's folder.
Path challenge_folder(const Path& state, const Digest& challenge);

/// The timings of a challenge in folders of witnesses that the contract names; none if it names
/// none. Errors: those of open_timing; kUnavailable.
Result<std::vector<SignedTiming>> read_timings(const std::vector<Path>& places,
                                               const trace::Contract& contract,
                                               const Digest& challenge);

}  // namespace aftune::audit
