// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "aftune/tlog/tiles.h"
#include "aftune/trace/contract.h"
#include "aftune/trace/run_folder.h"

namespace aftune::cli {

/// A run's contract and its verified log.
struct RunReading {
  trace::SignedContract contract;
  trace::RunFolder run;
  tlog::LogReading log;
};

/// `contract_file` empty: the run's own copy, which proves nothing about what you agreed to.
/// Errors: those of load_signed_contract and read_log.
Result<RunReading> read_run(const Path& run, const std::string& contract_file);

}  // namespace aftune::cli
