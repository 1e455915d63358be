// SPDX-License-Identifier: Apache-2.0
// `aftune log show | verify | proof`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/run_reading.h"
#include "aftune/cli/value_checks.h"
#include "aftune/tlog/tlog_proof.h"
#include "aftune/trace/entry.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string run, contract, out;
  std::uint64_t entry = 0;
};

Status show(const Args& args) {
  AFTUNE_TRY(const RunReading reading, read_run(args.run, args.contract));
  for (const std::string& entry : reading.log.entries) std::cout << entry << '\n';
  log_line("verifier key " + reading.contract.contract.log_key().spell());
  log_line(fmt::format("root {} of {} entries, {} checkpoints", reading.log.checkpoint.root.hex(),
                       reading.log.checkpoint.size, reading.log.history.size()));
  return ok();
}

/// Errors: kCorrupt for whatever the contract does not imply.
Status check_entries(const trace::Contract& contract, const trace::Timeline& timeline,
                     const std::vector<std::string>& entries) {
  for (std::uint64_t i = 0; i < entries.size(); ++i) {
    if (i > 0 && i + 1 == entries.size() && trace::is_abort(entries[i])) {
      const auto abort = trace::decode_abort(entries[i], i);
      return abort ? ok() : Error{Code::kCorrupt, abort.error().what};
    }
    if (i >= timeline.entry_count()) {
      return Error{Code::kCorrupt, fmt::format("the log has {} entries, the contract implies {}",
                                               entries.size(), timeline.entry_count())};
    }
    const auto digest = trace::decode_entry(entries[i], i, timeline.at(i));
    if (!digest) return Error{Code::kCorrupt, digest.error().what};
    if (i == 0 && *digest != contract.digest()) {
      return Error{Code::kCorrupt, fmt::format("entry 0 is of contract {}, this one is {}",
                                               digest->hex(), contract.digest().hex())};
    }
  }
  return ok();
}

Status verify(const Args& args) {
  AFTUNE_TRY(const RunReading reading, read_run(args.run, args.contract));
  const trace::Timeline timeline(reading.contract.contract);
  const auto& entries = reading.log.entries;
  AFTUNE_TRY(check_entries(reading.contract.contract, timeline, entries));
  std::cout << reading.log.checkpoint.root.hex() << '\n';
  log_line(fmt::format("{} of {} entries, all in place; signatures, tiles and growth hold",
                       entries.size(), timeline.entry_count()));
  return ok();
}

Status prove(const Args& args) {
  AFTUNE_TRY(const RunReading reading, read_run(args.run, args.contract));
  AFTUNE_TRY(std::vector<Digest> path, tlog::inclusion_proof(reading.log.leaf_hashes, args.entry));
  const std::string text =
      tlog::encode_tlog_proof({args.entry, std::move(path), reading.log.checkpoint_note});
  if (!args.out.empty()) return write_new_file(args.out, as_bytes(text));
  std::cout << text;
  return ok();
}

}  // namespace

Command add_log(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("log", "Show, verify and prove entries of a run's log");
  cmd->require_subcommand(1);
  cmd->footer(
      "Examples:\n  aftune log show --run run\n  aftune log verify --run run --contract "
      "contract.json\n  aftune log proof --run run --entry 3 -o entry3.tlog-proof");
  const auto common = [&](CLI::App* sub) {
    sub->add_option("--run", args->run, "Run folder")->required();
    sub->add_option("--contract", args->contract, "Your own copy (default: the run's)");
  };
  auto* showing = cmd->add_subcommand("show", "Print the entries and the root");
  auto* verifying = cmd->add_subcommand("verify", "Check signatures, tiles, growth and order");
  auto* proving = cmd->add_subcommand("proof", "An offline proof that an entry is in the log");
  for (CLI::App* sub : {showing, verifying, proving}) common(sub);
  showing->footer("Example:\n  aftune log show --run run");
  verifying->footer("Example:\n  aftune log verify --run run --contract contract.json");
  proving->footer("Example:\n  aftune log proof --run run --entry 3 -o entry3.tlog-proof");
  proving->add_option("--entry", args->entry, "Position, from 0")
      ->required()
      ->check(check_whole_number);
  proving->add_option("-o,--out", args->out,
                      "File to write; must not exist (default: standard output)");
  return {[cmd] { return cmd->parsed(); },
          [args, showing, verifying] {
            const Status done = showing->parsed()     ? show(*args)
                                : verifying->parsed() ? verify(*args)
                                                      : prove(*args);
            return done ? Exit::kOk : report("log", done.error());
          }};
}

}  // namespace aftune::cli
