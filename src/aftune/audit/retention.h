// SPDX-License-Identifier: Apache-2.0
// What a provider may remove of a run, and when: docs/formats/run.md, "How long it is kept".
#pragma once

#include <set>
#include <string>
#include <vector>

#include "aftune/audit/challenge.h"
#include "aftune/trace/run_folder.h"

namespace aftune::audit {

/// The last second in which somebody may ask for evidence and be owed an answer.
std::int64_t window_end(const trace::Contract& contract);

/// Where the provider keeps a challenge of this run as long as it is open.
Path open_challenge_file(const trace::RunFolder& run, const Digest& challenge);

/// The challenges in the run's folder of open ones. Errors: kInvalidInput, naming the file, for
///         one that is no challenge of this contract; kUnavailable.
Result<std::vector<SignedChallenge>> open_challenges(const trace::RunFolder& run,
                                                     const trace::Contract& contract);

struct RetentionRequest {
  const trace::Contract& contract;
  trace::RunFolder run;
  const std::vector<std::string>& entries;         // of the log
  const std::vector<SignedChallenge>& challenges;  // open ones
  std::int64_t now = 0;                            // seconds since 1970
};

struct Removal {
  Path file;
  std::uint64_t bytes = 0;
  std::string what;  // "activations", "left over"
};

struct RetentionPlan {
  bool window_open = true;
  std::vector<Removal> removals;  // ascending by file, but bases behind what needs them
  std::uint64_t removed_bytes = 0;
  std::uint64_t kept_objects = 0, kept_for_challenges = 0;
};

/// Touches nothing. Left-overs of interrupted writes may always go; states and edges once the
/// window is over and the log has ended, but for what an open challenge may need; lists and files
/// never. Requires: nobody works on the run.
/// Errors: kCorrupt, kNotFound for a list that cannot be read; kUnavailable.
Result<RetentionPlan> plan_retention(const RetentionRequest& request);

/// Removes what the plan names. Errors: kUnavailable, after which the rest is there.
Status carry_out(const RetentionPlan& plan);

}  // namespace aftune::audit
