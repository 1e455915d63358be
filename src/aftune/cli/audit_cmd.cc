// SPDX-License-Identifier: Apache-2.0
// `aftune audit`: check a run and replay blocks of it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <iostream>
#include <memory>

#include "aftune/audit/auditor.h"
#include "aftune/audit/challenge_post.h"
#include "aftune/audit/reproduction.h"
#include "aftune/base/log_line.h"
#include "aftune/cli/block_arg.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/contract_file.h"
#include "aftune/cli/document_files.h"
#include "aftune/cli/machine.h"
#include "aftune/cli/receipt_audit_cmd.h"
#include "aftune/cli/remote_run.h"
#include "aftune/cli/value_checks.h"
#include "aftune/cli/verdict_file.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string contract, run, secret, delivered, data, key, out, challenge, manifest, reproduce;
  std::vector<std::string> blocks, witnesses;
  std::uint64_t count = 0;
  bool all = false, json = false;
  MachineArgs machine;
  ReceiptAuditArgs receipt;
  RemoteArgs remote;
};

std::optional<Path> path_if(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return Path(text);
}

/// The verifier's key, under the name that the contract has it.
Result<std::optional<codec::KeyFile>> prepare_verdict(const Args& args,
                                                      const trace::Contract& contract) {
  AFTUNE_TRY(std::optional<codec::KeyFile> key, cli::prepare_verdict(args.out, args.key));
  if (!key) return key;
  if (key->key.public_key() != contract.verifier.key) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} is not the key of the contract's verifier ({})", args.key,
                             contract.verifier.name)};
  }
  key->name = contract.verifier.name;
  return key;
}

/// The challenge, the provider's answer and what witnesses say of them.
Status add_answer_to(const Args& args, audit::AuditRequest& request) {
  AFTUNE_TRY(request.challenge, load_challenge(args.challenge, request.contract));
  const Digest asked = request.challenge->digest;
  if (!args.manifest.empty()) {
    AFTUNE_TRY(LoadedManifest answer, load_manifest(args.manifest, request.contract, asked));
    request.manifest = std::move(answer.manifest);
  }
  const std::vector<Path> places(args.witnesses.begin(), args.witnesses.end());
  AFTUNE_TRY(request.timings, audit::read_timings(places, request.contract, asked));
  return ok();
}

/// What another verifier was asked and given.
Status add_report_to(const Args& args, const audit::ReportedReject& reported,
                     audit::AuditRequest& request) {
  std::string manifest;
  if (!args.manifest.empty()) {
    AFTUNE_TRY(manifest, read_text_file(args.manifest, kMaxManifest));
  }
  return audit::ask_again(reported, manifest, request).in(args.reproduce);
}

/// The delivered model is fetched where it is what is to be compared.
trace::RunSource::Share share_of(const Args& args) {
  std::error_code error;
  const Path asked = std::filesystem::weakly_canonical(args.delivered, error);
  const Path fetched =
      std::filesystem::weakly_canonical(trace::RunFolder{args.run}.delivered(), error);
  return !args.delivered.empty() && asked == fetched ? trace::RunSource::Share::kDelivered
                                                     : trace::RunSource::Share::kInputs;
}

Result<audit::Verdict> audit_it(const Args& args, const trace::Contract& contract,
                                const audit::ReportedReject* reported = nullptr) {
  AFTUNE_TRY(const Machine machine, make_machine(args.machine));
  AFTUNE_TRY(const RemoteRun remote, open_remote_run(args.remote, args.run, share_of(args)));
  audit::AuditRequest request{contract,
                              remote.run,
                              path_if(args.secret),
                              args.all,
                              {},
                              args.count,
                              path_if(args.delivered),
                              path_if(args.data),
                              std::time(nullptr),
                              {}};
  for (const std::string& text : args.blocks) {
    AFTUNE_TRY(const audit::BlockIndex block, parse_block(text));
    request.blocks.push_back(block);
  }
  if (!args.challenge.empty()) AFTUNE_TRY(add_answer_to(args, request));
  if (reported != nullptr) AFTUNE_TRY(add_report_to(args, *reported, request));
  for (const std::string& place : args.witnesses) request.witnesses.emplace_back(place);
  request.on_block = [](const audit::ReplayedBlock& block) {
    log_line(fmt::format("{} layer block {}, step block {}: {} ({:.1f} s)",
                         block.rebuilt_only ? "rebuilt " : "replayed", block.layer_block,
                         block.step_block, block.held ? "equal in every bit" : "DIFFERS",
                         block.seconds));
  };
  auto verdict = audit::audit_run(request, machine.engine);
  remote.tell();
  return verdict;
}

/// What must be said of findings that did not come again.
Exit tell_reproduction(const audit::ReportedReject& reported, const audit::Verdict& verdict) {
  const auto lost = audit::not_found_again(reported, verdict);
  if (!reported.is_signed) log_line("the verdict file has no signature of the contract's verifier");
  if (lost.empty()) {
    std::cout << fmt::format("REPRODUCED: all {} findings\n", reported.findings.size());
    return Exit::kOk;
  }
  if (reported.other_checkpoint.empty() && !verdict.other_checkpoint_note.empty()) {
    std::cout << "ANOTHER LOG: the verdict was given over another log than the one that is shown, "
                 "and the provider signed both\n";
  }
  const audit::Finding& first = lost.front();
  const bool open = !verdict.unchecked.empty() && verdict.blocks.size() < reported.blocks.size();
  std::cout << fmt::format("{}: {} of {} findings were not found again, first [{}] {}: {}\n",
                           open ? "INCONCLUSIVE" : "NOT REPRODUCED", lost.size(),
                           reported.findings.size(), audit::check_name(first.check), first.place,
                           printable(first.message));
  return open ? Exit::kUnchecked : Exit::kRejected;
}

/// A second verifier's way to a REJECT: the same openings, the blocks that did not hold.
Result<Exit> reproduce(const Args& args, const trace::Contract& contract) {
  AFTUNE_TRY(const std::string text, read_text_file(args.reproduce, audit::kMaxVerdictBytes));
  AFTUNE_TRY(const audit::ReportedReject reported,
             audit::read_reject(text, contract).in(args.reproduce));
  AFTUNE_TRY(const audit::Verdict verdict, audit_it(args, contract, &reported));
  log_line(audit::verdict_text(verdict));
  return tell_reproduction(reported, verdict);
}

/// What an audit of a run needs and one of a receipt does not.
Status check_needed(const Args& args) {
  for (const auto& [name, value] : {std::pair{"contract", &args.contract}, {"--run", &args.run}}) {
    if (value->empty()) return Error{Code::kInvalidInput, fmt::format("{} is required", name)};
  }
  return ok();
}

Exit run_for_receipt(const Args& args) {
  const bool of_a_run =
      !args.blocks.empty() || !args.witnesses.empty() || !args.remote.store.empty();
  for (const std::string* value :
       {&args.run, &args.delivered, &args.data, &args.challenge, &args.manifest, &args.reproduce}) {
    if (value->empty() && !of_a_run) continue;
    return report("audit", Error{Code::kInvalidInput,
                                 "--receipt goes with none of --run, --store, --delivered, --data, "
                                 "--block, "
                                 "--witness, --challenge, --manifest and --reproduce"});
  }
  ReceiptAuditArgs receipt = args.receipt;
  receipt.files.contract = args.contract;
  return run_receipt_audit(
      receipt, {args.secret, args.key, args.out, args.count, args.all, args.json, args.machine});
}

Exit run_audit(const Args& args) {
  if (!args.receipt.files.receipt.empty()) return run_for_receipt(args);
  if (const Status needed = check_needed(args); !needed) return report("audit", needed.error());
  if (!args.manifest.empty() && args.challenge.empty() && args.reproduce.empty()) {
    return report("audit",
                  Error{Code::kInvalidInput, "--manifest needs --challenge or --reproduce"});
  }
  const auto contract = load_signed_contract(args.contract);
  if (!contract) return report("audit", contract.error());
  if (!args.reproduce.empty()) {
    const auto done = reproduce(args, contract->contract);
    return done ? *done : report("audit", done.error());
  }
  const auto key = prepare_verdict(args, contract->contract);
  if (!key) return report("audit", key.error());
  const auto verdict = audit_it(args, contract->contract);
  if (!verdict) return report("audit", verdict.error());
  const codec::Json statement = audit::verdict_statement(*verdict);
  if (args.json) {
    std::cout << codec::canonical_json(statement) << '\n';
    log_line(audit::verdict_text(*verdict));
  } else {
    std::cout << audit::verdict_text(*verdict) << std::flush;
  }
  const Status wrote = write_verdict(args.out, *key, statement);
  if (!wrote) return report("audit", wrote.error());
  return exit_of(verdict->outcome);
}

}  // namespace

Command add_audit(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("audit", "Check a run against its contract and replay blocks");
  cmd->footer(
      "Examples:\n  aftune audit contract.json --run run --secret client.secret --delivered "
      "run/model\n"
      "  aftune audit contract.json --run run --all --data data.jsonl -o verdict.json --key "
      "keys/client.key\n  aftune audit contract.json --run run --block 0,1 --block 3,0\n"
      "  aftune audit contract.json --store s3://evidence/runs/1 --run fetched --secret "
      "client.secret\n"
      "  aftune audit --receipt receipt.json --proof receipt.tlog-proof --answer answer.json "
      "--server server.pub --model model --openings serving --all");
  cmd->add_option("contract", args->contract, "Contract signed by both sides");
  cmd->add_option("--run", args->run,
                  "The run folder that the provider hands over; with --store a folder for what is "
                  "fetched");
  add_remote_options(*cmd, args->remote, "Audit the run that lies there: fetch what is needed");
  auto* secret = cmd->add_option("--secret", args->secret,
                                 "The client's secret: replays the blocks that it draws");
  auto* all = cmd->add_flag("--all", args->all, "Replay every block");
  auto* block = cmd->add_option("--block", args->blocks,
                                "Replay LAYER_BLOCK,STEP_BLOCK (cannot give ACCEPT)");
  block->type_name("I,J")->allow_extra_args(false);
  auto* challenge =
      cmd->add_option("--challenge", args->challenge, "The client's challenge: replays its blocks");
  cmd->add_option("--manifest", args->manifest,
                  "With --challenge or --reproduce: the provider's answer to the challenge");
  auto* reproduce =
      cmd->add_option("--reproduce", args->reproduce,
                      "A verdict file that says REJECT: is each of its findings found again?");
  secret->excludes(all)->excludes(block)->excludes(challenge)->excludes(reproduce);
  all->excludes(block)->excludes(challenge)->excludes(reproduce);
  block->excludes(challenge)->excludes(reproduce);
  cmd->add_option("--count", args->count,
                  "With --secret: draw so many blocks; at least the policy's number, at most all")
      ->needs(secret)
      ->check(check_whole_number);
  cmd->add_option("--witness", args->witnesses,
                  "A witness's folder, a folder of its notes or one note; may stand many times")
      ->type_name("DIR|FILE")
      ->allow_extra_args(false);
  cmd->add_option("--delivered", args->delivered, "The model folder that the client received");
  cmd->add_option("--data", args->data, "The client's own copy of the data set");
  auto* out = cmd->add_option("-o,--out", args->out,
                              "Verdict to write (DSSE, in-toto Statement); must not exist");
  cmd->add_option("--key", args->key, "The verifier's private key: signs the verdict")->needs(out);
  cmd->add_flag("--json", args->json, "Print the statement instead of the text");
  add_receipt_audit_options(*cmd, args->receipt);
  add_machine_options(*cmd, args->machine);
  return {[cmd] { return cmd->parsed(); }, [args] { return run_audit(*args); }};
}

}  // namespace aftune::cli
