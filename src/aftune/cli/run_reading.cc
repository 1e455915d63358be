// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/run_reading.h"

#include "aftune/cli/contract_file.h"

namespace aftune::cli {

Result<RunReading> read_run(const Path& run, const std::string& contract_file) {
  const trace::RunFolder folder{run};
  AFTUNE_TRY(trace::SignedContract contract,
             load_signed_contract(contract_file.empty() ? folder.contract() : Path(contract_file)));
  AFTUNE_TRY(tlog::LogReading log,
             tlog::read_log(folder.log(), contract.contract.log_key()).in(folder.log().string()));
  return RunReading{std::move(contract), folder, std::move(log)};
}

}  // namespace aftune::cli
