// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/receipt_audit_cmd.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "aftune/audit/receipt_audit.h"
#include "aftune/base/log_line.h"
#include "aftune/cli/out_file.h"
#include "aftune/codec/dsse.h"
#include "aftune/codec/key_file.h"

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

Status write_verdict(const SharedAuditArgs& shared, const codec::Json& statement) {
  if (shared.out.empty()) return ok();
  codec::Dsse envelope{std::string(audit::kVerdictType), codec::canonical_json(statement), {}};
  if (!shared.key.empty()) {
    AFTUNE_TRY(const codec::KeyFile key, codec::read_key_file(shared.key));
    envelope.sign(key.key, key.name);
  } else {
    log_line("the verdict is not signed: no --key was given");
  }
  return write_new_file(shared.out, as_bytes(codec::encode_dsse(envelope)));
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
  if (!shared.out.empty()) {
    const Status writable = check_out_file(shared.out);
    if (!writable) return report("audit", writable.error());
  }
  const auto verdict = audit_it(args, shared);
  if (!verdict) return report("audit", verdict.error());
  const codec::Json statement = audit::receipt_verdict_statement(*verdict);
  if (shared.json) {
    std::cout << codec::canonical_json(statement) << '\n';
    log_line(audit::receipt_verdict_text(*verdict));
  } else {
    std::cout << audit::receipt_verdict_text(*verdict) << std::flush;
  }
  const Status wrote = write_verdict(shared, statement);
  if (!wrote) return report("audit", wrote.error());
  return exit_of(verdict->outcome);
}

}  // namespace aftune::cli
