// SPDX-License-Identifier: Apache-2.0
// `aftune audit`: check a run and replay blocks of it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <ctime>
#include <iostream>
#include <memory>

#include "aftune/audit/auditor.h"
#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/contract_file.h"
#include "aftune/cli/machine.h"
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

/// "I,J": layer block and step block.
Result<audit::BlockIndex> parse_block(const std::string& text) {
  audit::BlockIndex out;
  const char* end = text.data() + text.size();
  const auto [comma, first] = std::from_chars(text.data(), end, out.layer_block);
  if (first == std::errc() && comma != end && *comma == ',') {
    const auto [rest, second] = std::from_chars(comma + 1, end, out.step_block);
    if (second == std::errc() && rest == end) return out;
  }
  return Error{Code::kInvalidInput,
               fmt::format("--block \"{}\" is not LAYER_BLOCK,STEP_BLOCK like 2,1", text)};
}

std::optional<Path> path_if(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return Path(text);
}

Status write_verdict(const Args& args, const trace::Contract& contract,
                     const codec::Json& statement) {
  if (args.out.empty()) return ok();
  codec::Dsse envelope{kStatementType, codec::canonical_json(statement), {}};
  if (args.key.empty()) {
    log_line("the verdict is not signed: no --key was given");
  } else {
    AFTUNE_TRY(const codec::KeyFile key, codec::read_key_file(args.key));
    if (key.key.public_key() != contract.verifier.key) {
      return Error{Code::kInvalidInput,
                   fmt::format("{} is not the key of the contract's verifier ({})", args.key,
                               contract.verifier.name)};
    }
    envelope.sign(key.key, contract.verifier.name);
  }
  return write_file(args.out, as_bytes(codec::encode_dsse(envelope)));
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
  if (!args.key.empty()) {  // a wrong key must not cost a whole audit
    const auto key = codec::read_key_file(args.key);
    if (!key) return report("audit", key.error());
  }
  const auto verdict = audit_it(args, contract->contract);
  if (!verdict) return report("audit", verdict.error());
  const codec::Json statement = audit::verdict_statement(*verdict);
  if (args.json) {
    std::cout << codec::canonical_json(statement) << '\n';
    log_line(audit::verdict_text(*verdict));
  } else {
    std::cout << audit::verdict_text(*verdict) << std::flush;
  }
  if (const Status wrote = write_verdict(args, contract->contract, statement); !wrote) {
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
  block->type_name("I,J");
  secret->excludes(all)->excludes(block);
  all->excludes(block);
  cmd->add_option("--count", args->count, "With --secret: draw more blocks than the policy asks")
      ->needs(secret);
  cmd->add_option("--delivered", args->delivered, "The model folder that the client received");
  cmd->add_option("--data", args->data, "The client's own copy of the data set");
  cmd->add_option("--key", args->key, "The verifier's private key: signs the verdict");
  cmd->add_option("-o,--out", args->out, "Where the verdict goes (DSSE, in-toto Statement)");
  cmd->add_flag("--json", args->json, "Print the statement instead of the text");
  add_machine_options(*cmd, args->machine);
  return {[cmd] { return cmd->parsed(); }, [args] { return run_audit(*args); }};
}

}  // namespace aftune::cli
