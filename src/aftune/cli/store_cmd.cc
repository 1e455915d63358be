// SPDX-License-Identifier: Apache-2.0
// `aftune store check | stats | get | fetch | gc`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <iostream>
#include <memory>

#include "aftune/audit/retention.h"
#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/document_files.h"
#include "aftune/cli/remote_run.h"
#include "aftune/cli/run_reading.h"
#include "aftune/trace/inventory.h"

namespace aftune::cli {
namespace {

constexpr std::size_t kShown = 20;

struct Args {
  std::string run, contract, digest, out;
  std::vector<std::string> challenges;
  bool json = false, dry_run = false;
  RemoteArgs remote;
};

/// A run's contract and log, and where its objects come from.
struct Opened {
  RemoteRun remote;
  RunReading reading;
};

Result<Opened> open_run(const Args& args) {
  AFTUNE_TRY(RemoteRun remote,
             open_remote_run(args.remote, args.run, trace::RunSource::Share::kLog));
  AFTUNE_TRY(RunReading reading, read_run(args.run, args.contract));
  reading.run.source = remote.run.source;
  return Opened{std::move(remote), std::move(reading)};
}

Result<trace::Inventory> inventory_of(const RunReading& reading) {
  return trace::take_inventory(reading.contract.contract, reading.log.entries, reading.run);
}

Status check(const Args& args) {
  AFTUNE_TRY(const Opened opened, open_run(args));
  const RunReading& reading = opened.reading;
  AFTUNE_TRY(const trace::Inventory inventory, inventory_of(reading));
  AFTUNE_TRY(const trace::StoreCheck found, trace::check_store(inventory, reading.run));
  opened.remote.tell();
  for (const std::string& stranger : found.strangers) log_line("note: " + stranger);
  for (std::size_t i = 0; i < std::min(found.problems.size(), kShown); ++i) {
    log_line(found.problems[i]);
  }
  if (!found.problems.empty()) {
    return Error{Code::kCorrupt, fmt::format("{} of the objects that the log commits to are "
                                             "missing or altered",
                                             found.problems.size())};
  }
  log_line(fmt::format("{} objects, {} bytes: all whole, {} needed, none missing", found.objects,
                       found.bytes, inventory.needed.size()));
  return ok();
}

/// One line of the table and one member of the JSON object.
struct StatsTable {
  std::string text = fmt::format("{:<14} {:>8} {:>16} {:>16} {:>6} {:>12} {:>16}\n", "component",
                                 "objects", "bytes", "in files", "ratio", "not stored", "bytes");
  codec::Json::Object json;

  void add(std::string name, const trace::ComponentStats& stats) {
    const std::string ratio = stats.bytes == 0
                                  ? "-"
                                  : fmt::format("{:.3f}", static_cast<double>(stats.stored_bytes) /
                                                              static_cast<double>(stats.bytes));
    text += fmt::format("{:<14} {:>8} {:>16} {:>16} {:>6} {:>12} {:>16}\n", name, stats.objects,
                        stats.bytes, stats.stored_bytes, ratio, stats.unstored_objects,
                        stats.unstored_bytes);
    std::replace(name.begin(), name.end(), ' ', '_');
    json[name] = codec::Json::Object{{"bytes", codec::Json(stats.bytes)},
                                     {"objects", codec::Json(stats.objects)},
                                     {"stored_bytes", codec::Json(stats.stored_bytes)},
                                     {"unstored_bytes", codec::Json(stats.unstored_bytes)},
                                     {"unstored_objects", codec::Json(stats.unstored_objects)}};
  }
};

Status stats(const Args& args) {
  AFTUNE_TRY(const Opened opened, open_run(args));
  const RunReading& reading = opened.reading;
  AFTUNE_TRY(const trace::Inventory inventory, inventory_of(reading));
  AFTUNE_TRY(const auto all, trace::component_stats(inventory, reading.run));
  AFTUNE_TRY(const trace::ComponentStats log, trace::log_stats(reading.run));
  StatsTable table;
  trace::ComponentStats sum = log;
  for (std::size_t i = 0; i < all.size(); ++i) {
    table.add(std::string(trace::component_name(static_cast<trace::Component>(i))), all[i]);
    sum += all[i];
  }
  table.add("log", log);
  table.add("all", sum);
  std::cout << (args.json ? codec::canonical_json(table.json) + "\n" : table.text);
  return ok();
}

Status get(const Args& args) {
  AFTUNE_TRY(const Digest digest, parse_digest(args.digest));
  AFTUNE_TRY(const RemoteRun remote,
             open_remote_run(args.remote, args.run, trace::RunSource::Share::kLog));
  AFTUNE_TRY(const trace::Store store,
             trace::Store::open(remote.run, trace::Store::Open::kExisting));
  AFTUNE_TRY(const ByteBuffer bytes, store.get(digest, trace::kMaxObjectBytes));
  if (!args.out.empty()) return write_new_file(args.out, bytes);
  std::cout.write(reinterpret_cast<const char*>(bytes.data()),
                  static_cast<std::streamsize>(bytes.size()));
  return ok();
}

/// The whole run as a run folder: to keep, to hand over, to go on with.
Status fetch(const Args& args) {
  AFTUNE_TRY(const RemoteRun remote,
             open_remote_run(args.remote, args.run, trace::RunSource::Share::kAll));
  remote.tell();
  return ok();
}

Result<std::vector<audit::SignedChallenge>> all_challenges(const Args& args,
                                                           const RunReading& reading) {
  const trace::Contract& contract = reading.contract.contract;
  AFTUNE_TRY(auto out, audit::open_challenges(reading.run, contract));
  for (const std::string& file : args.challenges) {
    AFTUNE_TRY(audit::SignedChallenge challenge, load_challenge(file, contract));
    out.push_back(std::move(challenge));
  }
  return out;
}

Status gc(const Args& args) {
  AFTUNE_TRY(const RunReading reading, read_run(args.run, args.contract));
  AFTUNE_TRY(const FileLock lock, FileLock::acquire(reading.run.lock()));
  const trace::Contract& contract = reading.contract.contract;
  AFTUNE_TRY(const auto challenges, all_challenges(args, reading));
  AFTUNE_TRY(const audit::RetentionPlan plan,
             audit::plan_retention({contract, reading.run, reading.log.entries, challenges,
                                    static_cast<std::int64_t>(std::time(nullptr))}));
  if (!args.dry_run) AFTUNE_TRY(audit::carry_out(plan));
  for (const audit::Removal& removal : plan.removals) {
    std::cout << fmt::format("{} {} ({} bytes, {})\n", args.dry_run ? "would remove" : "removed",
                             removal.file.lexically_relative(reading.run.root).string(),
                             removal.bytes, removal.what);
  }
  log_line(fmt::format("evidence can be asked for until {}{}",
                       trace::spell_utc(audit::window_end(contract)),
                       plan.window_open ? ": all of it stays" : ", which is over"));
  log_line(fmt::format(
      "{}: {} files, {} bytes; kept: {} objects, {} of them for {} open challenges",
      args.dry_run ? "would be removed" : "removed", plan.removals.size(), plan.removed_bytes,
      plan.kept_objects, plan.kept_for_challenges, challenges.size()));
  return ok();
}

}  // namespace

Command add_store(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd =
      app.add_subcommand("store", "Check, measure, open, fetch and clear away a run's objects");
  cmd->require_subcommand(1);
  cmd->footer(
      "Examples:\n  aftune store check --run run\n  aftune store stats --run run --json\n"
      "  aftune store get --run run DIGEST -o object\n"
      "  aftune store fetch --store s3://evidence/runs/1 --run run\n"
      "  aftune store gc --run run --dry-run");
  auto* checking = cmd->add_subcommand("check", "Is everything that the log commits to whole?");
  auto* measuring =
      cmd->add_subcommand("stats", "Objects, bytes and bytes of their files, by component");
  auto* getting = cmd->add_subcommand("get", "One object, its digest checked");
  auto* clearing =
      cmd->add_subcommand("gc", "Remove left-overs, and evidence that nobody can ask for any more");
  auto* fetching = cmd->add_subcommand("fetch", "Copy a whole run from object storage");
  for (CLI::App* sub : {checking, measuring, getting, clearing}) {
    sub->add_option("--run", args->run, "Run folder")->required();
  }
  fetching->add_option("--run", args->run, "Run folder to make, or to complete")->required();
  for (CLI::App* sub : {checking, measuring, getting, fetching}) {
    add_remote_options(*sub, args->remote,
                       "The run lies there; what is needed is fetched into the folder");
  }
  fetching->get_option("--store")->required();
  for (CLI::App* sub : {checking, measuring, clearing}) {
    sub->add_option("--contract", args->contract, "Your own copy (default: the run's)");
  }
  checking->footer("Example:\n  aftune store check --run run");
  measuring->footer("Example:\n  aftune store stats --run run");
  getting->footer("Example:\n  aftune store get --run run DIGEST -o object");
  fetching->footer("Example:\n  aftune store fetch --store s3://evidence/runs/1 --run run");
  clearing->footer("Example:\n  aftune store gc --run run --dry-run");
  clearing->add_flag("--dry-run", args->dry_run, "Say what would be removed, and remove nothing");
  clearing
      ->add_option("--challenge", args->challenges,
                   "An open challenge that is not in the run folder; may stand many times")
      ->type_name("FILE")
      ->allow_extra_args(false);
  measuring->add_flag("--json", args->json, "Print JSON");
  getting->add_option("digest", args->digest, "64 hexadecimal digits")->required();
  getting->add_option("-o,--out", args->out,
                      "File to write; must not exist (default: standard output)");
  return {[cmd] { return cmd->parsed(); },
          [args, checking, measuring, fetching, clearing] {
            const Status done = checking->parsed()    ? check(*args)
                                : measuring->parsed() ? stats(*args)
                                : clearing->parsed()  ? gc(*args)
                                : fetching->parsed()  ? fetch(*args)
                                                      : get(*args);
            return done ? Exit::kOk : report("store", done.error());
          }};
}

}  // namespace aftune::cli
