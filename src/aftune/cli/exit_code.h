// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aftune/audit/verdict.h"
#include "aftune/base/result.h"

namespace aftune::cli {

/// Exit codes of the program; docs/guides/command-line.md lists them for people.
enum class Exit : int {
  kOk = 0,         // done; ACCEPT; what was asked holds
  kRejected = 1,   // REJECT; stored bytes do not match their digests
  kUsage = 2,      // flags, files or documents that break a documented rule
  kUnchecked = 3,  // INCONCLUSIVE; disk or machine trouble; a run that aborted
};

/// Prints "aftune COMMAND: message" to stderr and picks the code.
Exit report(const char* command, const Error& error);

/// The code of a verdict's outcome: only ACCEPT is 0.
Exit exit_of(audit::Outcome outcome);

}  // namespace aftune::cli
