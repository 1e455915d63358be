// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/run_reading.h"

#include "aftune/cli/contract_file.h"

namespace aftune::cli {

Result<RunReading> read_run(const Path& run, const std::string& contract_file) {
  const trace::RunFolder folder{run};
  AFTUNE_TRY(trace::SignedContract contract,
             load_signed_contract(contract_file.empty() ? folder.contract() : Path(contract_file)));
  Result<tlog::LogReading> log = tlog::read_log(folder.log(), contract.contract.log_key());
  if (log) return RunReading{std::move(contract), folder, *std::move(log)};
  Error error = std::move(log).error();
  // A log without a checkpoint is not there yet; one that has it and does not hold is damaged.
  std::error_code ignored;
  const bool begun = std::filesystem::exists(folder.log() / "checkpoint", ignored);
  if (error.code == Code::kInvalidInput || (error.code == Code::kNotFound && begun)) {
    error.code = Code::kCorrupt;
  }
  return std::move(error).in(folder.log().string());
}

}  // namespace aftune::cli
