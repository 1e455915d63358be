// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/receipt_audit_cmd.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "aftune/audit/receipt_audit.h"
#include "aftune/base/log_line.h"
#include "aftune/cli/verdict_file.h"

namespace aftune::cli {
namespace {

/// What the audit goes by besides the documents.
Result<audit::ReceiptVerdict> audit_it(const ReceiptAuditArgs& args,
                                       const SharedAuditArgs& shared) {
  if (args.model.empty()) return Error{Code::kInvalidInput, "--model is required"};
  AFTUNE_TRY(const ReceiptFiles files, load_receipt_files(args.files));
  AFTUNE_TRY(const Machine machine, make_machine(shared.machine));
  AFTUNE_TRY(const audit::AuditedModel model, audit::open_audited_model(args.model, *machine.pool));
  audit::ReceiptAuditRequest request{files.presented, expect(files), model};
  if (!args.openings.empty()) request.openings = receipt::ServingFolder{args.openings};
  request.all = shared.all;
  request.blocks = args.layer_blocks;
  if (shared.count > 0) request.draw_count = shared.count;
  if (!shared.secret.empty()) {
    AFTUNE_TRY(request.secret, read_hex_secret(shared.secret));
  }
  if (!args.training_verdict.empty()) {
    if (!files.contract) {
      return Error{Code::kInvalidInput, "--training-verdict needs the contract of the run"};
    }
    AFTUNE_TRY(const std::string text,
               read_text_file(args.training_verdict, audit::kMaxVerdictBytes));
    AFTUNE_TRY(request.training, audit::read_training_verdict(text, *files.contract,
                                                              files.presented.receipt.statement)
                                     .in(args.training_verdict));
  }
  return audit::audit_receipt(request, machine.engine);
}

}  // namespace

void add_receipt_audit_options(CLI::App& command, ReceiptAuditArgs& args) {
  auto* receipt = command.add_option("--receipt", args.files.receipt,
                                     "Audit this receipt of a served answer instead of a run");
  command.add_option("--model", args.model, "With --receipt: the model folder")->needs(receipt);
  command.add_option("--openings", args.openings, "With --receipt: the server's folder")
      ->needs(receipt);
  command
      .add_option("--layer-block", args.layer_blocks,
                  "With --receipt: replay this layer block (cannot give ACCEPT)")
      ->allow_extra_args(false)
      ->needs(receipt);
  command
      .add_option("--training-verdict", args.training_verdict,
                  "With --receipt and a contract: the signed verdict on the training run")
      ->needs(receipt);
  add_receipt_options(command, args.files);
}

Exit run_receipt_audit(const ReceiptAuditArgs& args, const SharedAuditArgs& shared) {
  const auto key = prepare_verdict(shared.out, shared.key);
  if (!key) return report("audit", key.error());
  const auto verdict = audit_it(args, shared);
  if (!verdict) return report("audit", verdict.error());
  const codec::Json statement = audit::receipt_verdict_statement(*verdict);
  if (shared.json) {
    std::cout << codec::canonical_json(statement) << '\n';
    log_line(audit::receipt_verdict_text(*verdict));
  } else {
    std::cout << audit::receipt_verdict_text(*verdict) << std::flush;
  }
  const Status wrote = write_verdict(shared.out, *key, statement);
  if (!wrote) return report("audit", wrote.error());
  return exit_of(verdict->outcome);
}

}  // namespace aftune::cli
