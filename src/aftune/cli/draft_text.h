// SPDX-License-Identifier: Apache-2.0
// The group `text` of a job file: how a row becomes a sample. docs/guides/job.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/cli/job_reader.h"
#include "aftune/text/dataset.h"

namespace aftune::cli {

/// Tokens and templates are those of the model folder; adds to `notes` what the job left open.
/// Errors: kInvalidInput naming file, line and key; those of Tokenizer::load.
Result<text::TextRule> draft_text(JobReader& job, const Path& model,
                                  std::vector<std::string>& notes);

/// Samples of an epoch: the rows, or as many as they pack into.
/// Errors: kInvalidInput for a row that cannot be packed.
Result<std::uint64_t> sample_count(const text::TextRule& rule, const Path& model,
                                   const text::Dataset& data);

}  // namespace aftune::cli
