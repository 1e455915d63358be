// SPDX-License-Identifier: Apache-2.0
// `aftune audit --receipt`: the audit of one answer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aftune/cli/exit_code.h"
#include "aftune/cli/machine.h"
#include "aftune/cli/receipt_files.h"

namespace CLI {
class App;
}

namespace aftune::cli {

struct ReceiptAuditArgs {
  ReceiptArgs files;
  std::string model, openings, training_verdict;
  std::vector<std::uint32_t> layer_blocks;
};
void add_receipt_audit_options(CLI::App& command, ReceiptAuditArgs& args);

/// Flags that it shares with the audit of a run.
struct SharedAuditArgs {
  std::string secret, key, out;
  std::uint64_t count = 0;  // 0: one block
  bool all = false, json = false;
  const MachineArgs& machine;
};
Exit run_receipt_audit(const ReceiptAuditArgs& args, const SharedAuditArgs& shared);

}  // namespace aftune::cli
