// SPDX-License-Identifier: Apache-2.0
// The job file's `lora`: docs/guides/job.md, "LoRA".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "aftune/cli/job_reader.h"
#include "aftune/trace/contract.h"

namespace aftune::cli {

/// Sets contract.adapter where the job has the key. `folder` is where relative paths start, `salt`
/// the contract's root salt; what was filled in is added to `notes`.
/// Errors: kInvalidInput or kUnsupported naming line and key; those of open_adapter_folder.
Status draft_lora(JobReader& job, const Path& folder, const std::optional<Digest>& salt,
                  trace::Contract& contract, std::vector<std::string>& notes);

}  // namespace aftune::cli
