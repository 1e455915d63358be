// SPDX-License-Identifier: Apache-2.0
// From a job file to a complete contract. The job file: docs/guides/job.md.
#pragma once

#include <string>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/cli/job_reader.h"
#include "aftune/trace/contract.h"

namespace aftune::cli {

struct Draft {
  trace::Contract contract;
  std::vector<std::string> filled_in;  // what the job file left to the tool, for people
};

/// Reads the job file, looks at model, data set and keys that it names (relative to the file's
/// folder) and fills in what may be left out; flags win over its keys. Makes the client's secret if
/// its file is absent, with mode 0600 and after all else was found right. Errors: kInvalidInput
/// naming file, line and key; kNotFound; kUnavailable.
Result<Draft> draft_contract(const Path& job, std::int64_t now,
                             const std::vector<JobFlag>& flags = {});

}  // namespace aftune::cli
