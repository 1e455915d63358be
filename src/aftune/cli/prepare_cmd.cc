// SPDX-License-Identifier: Apache-2.0
// `aftune prepare`: rebuild ahead what an audit of some blocks will take.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "aftune/audit/draw.h"
#include "aftune/audit/draw_rule.h"
#include "aftune/audit/exchange.h"
#include "aftune/base/log_line.h"
#include "aftune/cli/block_arg.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/document_files.h"
#include "aftune/cli/machine.h"
#include "aftune/cli/run_reading.h"
#include "aftune/cli/value_checks.h"
#include "aftune/trace/prepare.h"
#include "aftune/trace/timeline.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string contract, run, secret, challenge;
  std::vector<std::string> blocks;
  std::uint64_t count = 0;
  bool all = false, json = false;
  MachineArgs machine;
};

/// The blocks that the shown secret draws: the same as the audit's.
Result<std::vector<audit::BlockIndex>> drawn(const Args& args, const RunReading& reading) {
  const trace::Contract& contract = reading.contract.contract;
  AFTUNE_TRY(const ByteBuffer secret, audit::read_secret(args.secret, contract));
  AFTUNE_TRY(const tlog::Checkpoint final,
             tlog::open_checkpoint(reading.log.checkpoint_note, contract.log_key()));
  AFTUNE_TRY(const audit::DrawRule rule,
             audit::draw_rule(contract, reading.run, reading.log.entries));
  auto out = audit::draw_order(secret, tlog::checkpoint_text(final),
                               contract.partition().block_count, contract.step_block_count(), rule);
  const std::uint64_t count = std::max(args.count, contract.audit.blocks);
  out.resize(std::min<std::uint64_t>(out.size(), count));
  return out;
}

/// The blocks of a challenge that the provider would answer.
Result<std::vector<audit::BlockIndex>> challenged(const Args& args, const RunReading& reading) {
  const trace::Contract& contract = reading.contract.contract;
  AFTUNE_TRY(const audit::SignedChallenge challenge, load_challenge(args.challenge, contract));
  AFTUNE_TRY(audit::accept_challenge(reading.run, contract, reading.log, challenge));
  return challenge.challenge.blocks;
}

Result<std::vector<trace::GridBlock>> blocks_of(const Args& args, const RunReading& reading) {
  const trace::Contract& contract = reading.contract.contract;
  const std::uint32_t rows = contract.partition().block_count;
  const std::uint64_t columns = contract.step_block_count();
  std::vector<trace::GridBlock> out;
  for (const std::string& text : args.blocks) {
    AFTUNE_TRY(const audit::BlockIndex block, parse_block(text));
    if (block.layer_block >= rows || block.step_block >= columns) {
      return Error{Code::kInvalidInput,
                   fmt::format("block {} is outside the grid of {} layer blocks and {} step blocks",
                               text, rows, columns)};
    }
    out.push_back({block.layer_block, block.step_block});
  }
  for (std::uint32_t i = 0; args.all && i < rows; ++i) {
    for (std::uint64_t j = 0; j < columns; ++j) out.push_back({i, j});
  }
  if (!args.secret.empty() || !args.challenge.empty()) {
    AFTUNE_TRY(const auto asked,
               args.secret.empty() ? challenged(args, reading) : drawn(args, reading));
    for (const audit::BlockIndex& block : asked) {
      out.push_back({block.layer_block, block.step_block});
    }
  }
  if (!out.empty()) return out;
  return Error{Code::kInvalidInput,
               "no block is named: give --block, --challenge, --secret or --all"};
}

Status prepare(const Args& args) {
  AFTUNE_TRY(const RunReading reading, read_run(args.run, args.contract));
  const trace::Contract& contract = reading.contract.contract;
  if (reading.log.entries.size() != trace::Timeline(contract).entry_count()) {
    return Error{Code::kInvalidInput,
                 fmt::format("the run in {} is not closed: its log has {} of {} entries", args.run,
                             reading.log.entries.size(), trace::Timeline(contract).entry_count())};
  }
  AFTUNE_TRY(const auto blocks, blocks_of(args, reading));
  AFTUNE_TRY(const Machine machine, make_machine(args.machine));
  const auto told = [](const trace::PreparedBlock& block) {
    log_line(fmt::format("rebuilt layer block {}, step block {} ({:.1f} s)", block.at.layer_block,
                         block.at.step_block, block.seconds));
  };
  AFTUNE_TRY(const trace::PrepareReport report,
             trace::prepare_blocks(contract, reading.run, reading.log.entries, blocks,
                                   machine.engine, told));
  if (args.json) {
    const codec::Json::Object json{
        {"blocks", codec::Json(blocks.size())},
        {"bytes", codec::Json(report.bytes)},
        {"multiply_adds", codec::Json(fmt::format("{:.0f}", report.cost))},
        {"objects", codec::Json(report.objects)},
        {"replays", codec::Json(report.replays)}};
    std::cout << codec::canonical_json(json) << '\n';
    return ok();
  }
  std::cout << fmt::format(
      "{} blocks can be audited without rebuilding: {} replays, {} objects of {} bytes stored\n",
      blocks.size(), report.replays, report.objects, report.bytes);
  return ok();
}

}  // namespace

Command add_prepare(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("prepare", "Rebuild ahead what an audit of some blocks takes");
  cmd->footer(
      "Examples:\n  aftune prepare contract.json --run run --block 2,1 --block 0,4\n"
      "  aftune prepare contract.json --run run --challenge challenge.json\n"
      "  aftune prepare contract.json --run run --secret client.secret");
  cmd->add_option("contract", args->contract, "Contract signed by both sides")->required();
  cmd->add_option("--run", args->run, "Your run folder; objects are added to its store")
      ->required();
  auto* block = cmd->add_option("--block", args->blocks, "Prepare LAYER_BLOCK,STEP_BLOCK");
  block->type_name("I,J")->allow_extra_args(false);
  auto* secret = cmd->add_option("--secret", args->secret,
                                 "The secret that the client has shown: prepares what it draws");
  auto* challenge = cmd->add_option("--challenge", args->challenge,
                                    "The client's challenge: prepares the blocks that it asks for");
  auto* all = cmd->add_flag("--all", args->all, "Prepare every block");
  secret->excludes(all)->excludes(block)->excludes(challenge);
  challenge->excludes(all)->excludes(block);
  all->excludes(block);
  cmd->add_option("--count", args->count, "With --secret: draw more blocks than the policy asks")
      ->needs(secret)
      ->check(check_whole_number);
  cmd->add_flag("--json", args->json, "Print JSON");
  add_machine_options(*cmd, args->machine);
  return {[cmd] { return cmd->parsed(); },
          [args] {
            const Status done = prepare(*args);
            return done ? Exit::kOk : report("prepare", done.error());
          }};
}

}  // namespace aftune::cli
