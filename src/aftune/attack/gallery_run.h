// SPDX-License-Identifier: Apache-2.0
// Tells every lie of the gallery on a copy of a finished run and audits each copy.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "aftune/attack/gallery.h"
#include "aftune/audit/verdict.h"
#include "aftune/codec/json.h"

namespace aftune::attack {

enum class Begin { kLastStates, kFirstStep };

struct GalleryRequest {
  const trace::Contract& contract;  // of the finished run, signatures verified
  trace::RunFolder run;
  std::optional<Path> data;  // if the run leaves its data set out
  Path work;                 // an empty folder for the copies; each is removed after its audit
  Begin begin = Begin::kLastStates;
  std::vector<std::string> only;  // tell only lies of these rows, or with this in their name
  std::int64_t now = 0;           // seconds since 1970
  std::function<void(const std::string& line)> on_progress;
};

/// What became of one lie.
struct LieOutcome {
  std::string row, lie;
  std::string why_not;  // not empty: not told, for this reason; the rest is empty then
  audit::Outcome verdict = audit::Outcome::kInconclusive;
  std::string check, place, cause;  // of the first finding
  std::uint64_t bad_blocks = 0;     // blocks whose replay alone gives REJECT
  bool without_replay = false;      // the whole-run checks tell it: any audit does
  std::optional<double> relative_l2;
  double telling_seconds = 0, seconds = 0;  // seconds: of the audit

  [[nodiscard]] bool caught() const { return verdict == audit::Outcome::kReject; }
};

struct GalleryReport {
  std::uint64_t blocks_total = 0, policy_blocks = 0;
  std::uint64_t from_step_block = 0;
  double honest_seconds = 0;  // the audit of all blocks of the honest twin, which was accepted
  std::vector<LieOutcome> lies;

  [[nodiscard]] std::uint64_t accepted() const;  // told and not rejected
};

/// Errors: kInvalidInput for a run that is not closed or that its own audit does not accept: lies
///         beside a lie show nothing. Those of the trainer and of audit_run.
/// Cost:   one audit of all blocks; for each lie of training the steps from its first on, and the
///         audit of the blocks from there on. Blocks before are the honest twin's.
Result<GalleryReport> run_gallery(const GalleryRequest& request, const numerics::Engine& engine);

/// The mean number of blocks that a uniform draw takes until it meets one of `bad` out of `total`:
/// (total + 1) / (bad + 1). Requires: 1 <= bad <= total.
double expected_draws(std::uint64_t total, std::uint64_t bad);

/// The table for people, in Markdown.
std::string gallery_text(const GalleryReport& report);
codec::Json gallery_json(const GalleryReport& report);

}  // namespace aftune::attack
