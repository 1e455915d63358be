// SPDX-License-Identifier: Apache-2.0
// `aftune audit`: check a run and replay blocks of it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <iostream>
#include <memory>

#include "aftune/audit/auditor.h"
#include "aftune/base/log_line.h"
#include "aftune/cli/block_arg.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/contract_file.h"
#include "aftune/cli/machine.h"
#include "aftune/cli/out_file.h"
#include "aftune/cli/value_checks.h"
#include "aftune/codec/key_file.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string contract, run, secret, delivered, data, key, out;
  std::vector<std::string> blocks;
  std::uint64_t count = 0;
  bool all = false, json = false;
  MachineArgs machine;
};

constexpr const char* kStatementType = "application/vnd.in-toto+json";

std::optional<Path> path_if(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return Path(text);
}

/// What the end of the audit needs, looked at before it: a slip must not cost the whole of it.
Result<std::optional<codec::KeyFile>> prepare_verdict(const Args& args,
                                                      const trace::Contract& contract) {
  if (!args.out.empty()) AFTUNE_TRY(check_out_file(args.out));
  if (args.key.empty()) return std::optional<codec::KeyFile>();
  AFTUNE_TRY(codec::KeyFile key, codec::read_key_file(args.key));
  if (key.key.public_key() == contract.verifier.key) return std::optional(std::move(key));
  return Error{Code::kInvalidInput, fmt::format("{} is not the key of the contract's verifier ({})",
                                                args.key, contract.verifier.name)};
}

Status write_verdict(const Args& args, const std::optional<codec::KeyFile>& key,
                     const std::string& verifier, const codec::Json& statement) {
  if (args.out.empty()) return ok();
  codec::Dsse envelope{kStatementType, codec::canonical_json(statement), {}};
  if (key) {
    envelope.sign(key->key, verifier);
  } else {
    log_line("the verdict is not signed: no --key was given");
  }
  return write_new_file(args.out, as_bytes(codec::encode_dsse(envelope)));
}

Result<audit::Verdict> audit_it(const Args& args, const trace::Contract& contract) {
  AFTUNE_TRY(const Machine machine, make_machine(args.machine));
  audit::AuditRequest request{contract,
                              {args.run},
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
  request.on_block = [](const audit::ReplayedBlock& block) {
    log_line(fmt::format("{} layer block {}, step block {}: {} ({:.1f} s)",
                         block.rebuilt_only ? "rebuilt " : "replayed", block.layer_block,
                         block.step_block, block.held ? "equal in every bit" : "DIFFERS",
                         block.seconds));
  };
  return audit::audit_run(request, machine.engine);
}

Exit exit_of(audit::Outcome outcome) {
  switch (outcome) {
    case audit::Outcome::kAccept:
      return Exit::kOk;
    case audit::Outcome::kReject:
      return Exit::kRejected;
    case audit::Outcome::kInconclusive:
      return Exit::kUnchecked;
  }
  return Exit::kUnchecked;
}

Exit run_audit(const Args& args) {
  const auto contract = load_signed_contract(args.contract);
  if (!contract) return report("audit", contract.error());
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
  if (const Status wrote = write_verdict(args, *key, contract->contract.verifier.name, statement);
      !wrote) {
    return report("audit", wrote.error());
  }
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
      "keys/client.key\n  aftune audit contract.json --run run --block 0,1 --block 3,0");
  cmd->add_option("contract", args->contract, "Contract signed by both sides")->required();
  cmd->add_option("--run", args->run, "The run folder that the provider hands over")->required();
  auto* secret = cmd->add_option("--secret", args->secret,
                                 "The client's secret: replays the blocks that it draws");
  auto* all = cmd->add_flag("--all", args->all, "Replay every block");
  auto* block = cmd->add_option("--block", args->blocks,
                                "Replay LAYER_BLOCK,STEP_BLOCK (cannot give ACCEPT)");
  block->type_name("I,J")->allow_extra_args(false);
  secret->excludes(all)->excludes(block);
  all->excludes(block);
  cmd->add_option("--count", args->count, "With --secret: draw more blocks than the policy asks")
      ->needs(secret)
      ->check(check_whole_number);
  cmd->add_option("--delivered", args->delivered, "The model folder that the client received");
  cmd->add_option("--data", args->data, "The client's own copy of the data set");
  auto* out = cmd->add_option("-o,--out", args->out,
                              "Verdict to write (DSSE, in-toto Statement); must not exist");
  cmd->add_option("--key", args->key, "The verifier's private key: signs the verdict")->needs(out);
  cmd->add_flag("--json", args->json, "Print the statement instead of the text");
  add_machine_options(*cmd, args->machine);
  return {[cmd] { return cmd->parsed(); }, [args] { return run_audit(*args); }};
}

}  // namespace aftune::cli
