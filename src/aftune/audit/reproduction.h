// SPDX-License-Identifier: Apache-2.0
// A REJECT found again by a second verifier, from the verdict file and the openings:
// docs/formats/challenge.md, "Reproducing a REJECT".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "aftune/audit/auditor.h"

namespace aftune::audit {

/// A REJECT as another verifier wrote it down.
struct ReportedReject {
  std::string checkpoint_note;
  std::vector<Finding> findings;
  std::vector<BlockIndex> blocks;  // that did not hold
  std::string other_checkpoint;    // note; empty if there was none
  std::string challenge;           // envelope; empty if there was none
  std::vector<std::string> timings;
  std::optional<Digest> manifest;  // of the provider's answer, if there was one
  bool is_signed = false;          // by the contract's verifier
};

/// Reads a verdict file of this contract and checks its inclusion proofs.
/// Errors: kInvalidInput for a malformed file, one of another contract, one that is no REJECT, and
///         a proof that does not hold.
Result<ReportedReject> read_reject(std::string_view envelope, const trace::Contract& contract);

/// Puts into the request what the file carries (blocks that did not hold, the notes of the log that
/// was judged and of one that contradicts it, challenge, timings) and the manifest, whose digest
/// only it carries; empty for none. Errors: those of open_challenge, open_timing and open_manifest;
/// kInvalidInput for another manifest than the verdict names.
Status ask_again(const ReportedReject& reported, std::string_view manifest, AuditRequest& request);

/// The reported findings that `verdict` does not have: none if the REJECT is reproduced.
std::vector<Finding> not_found_again(const ReportedReject& reported, const Verdict& verdict);

}  // namespace aftune::audit
