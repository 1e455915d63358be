// SPDX-License-Identifier: Apache-2.0
// `aftune store check | stats | get`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/run_reading.h"
#include "aftune/trace/inventory.h"

namespace aftune::cli {
namespace {

constexpr std::uint64_t kMaxObjectBytes = std::uint64_t{1} << 36;
constexpr std::size_t kShown = 20;

struct Args {
  std::string run, contract, digest, out;
  bool json = false;
};

Result<trace::Inventory> inventory_of(const RunReading& reading) {
  return trace::take_inventory(reading.contract.contract, reading.log.entries, reading.run);
}

Status check(const Args& args) {
  AFTUNE_TRY(const RunReading reading, read_run(args.run, args.contract));
  AFTUNE_TRY(const trace::Inventory inventory, inventory_of(reading));
  AFTUNE_TRY(const trace::StoreCheck found, trace::check_store(inventory, reading.run));
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

Status stats(const Args& args) {
  AFTUNE_TRY(const RunReading reading, read_run(args.run, args.contract));
  AFTUNE_TRY(const trace::Inventory inventory, inventory_of(reading));
  AFTUNE_TRY(const auto all, trace::component_stats(inventory, reading.run));
  codec::Json::Object json;
  std::string text = fmt::format("{:<12} {:>8} {:>16} {:>12} {:>16}\n", "component", "objects",
                                 "bytes", "not stored", "bytes");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string name(trace::component_name(static_cast<trace::Component>(i)));
    text += fmt::format("{:<12} {:>8} {:>16} {:>12} {:>16}\n", name, all[i].objects, all[i].bytes,
                        all[i].unstored_objects, all[i].unstored_bytes);
    json[name] = codec::Json::Object{{"bytes", codec::Json(all[i].bytes)},
                                     {"objects", codec::Json(all[i].objects)},
                                     {"unstored_bytes", codec::Json(all[i].unstored_bytes)},
                                     {"unstored_objects", codec::Json(all[i].unstored_objects)}};
  }
  std::cout << (args.json ? codec::canonical_json(json) + "\n" : text);
  return ok();
}

Status get(const Args& args) {
  const trace::RunFolder run{args.run};
  AFTUNE_TRY(const trace::Store store,
             trace::Store::open(run.store(), trace::Store::Open::kExisting));
  AFTUNE_TRY(const Digest digest, parse_digest(args.digest));
  AFTUNE_TRY(const ByteBuffer bytes, store.get(digest, kMaxObjectBytes));
  if (!args.out.empty()) return write_new_file(args.out, bytes);
  std::cout.write(reinterpret_cast<const char*>(bytes.data()),
                  static_cast<std::streamsize>(bytes.size()));
  return ok();
}

}  // namespace

Command add_store(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("store", "Check, measure and open a run's objects");
  cmd->require_subcommand(1);
  cmd->footer(
      "Examples:\n  aftune store check --run run\n  aftune store stats --run run --json\n"
      "  aftune store get --run run DIGEST -o object");
  auto* checking = cmd->add_subcommand("check", "Is everything that the log commits to whole?");
  auto* measuring = cmd->add_subcommand("stats", "Objects and bytes by component");
  auto* getting = cmd->add_subcommand("get", "One object, its digest checked");
  for (CLI::App* sub : {checking, measuring, getting}) {
    sub->add_option("--run", args->run, "Run folder")->required();
  }
  for (CLI::App* sub : {checking, measuring}) {
    sub->add_option("--contract", args->contract, "Your own copy (default: the run's)");
  }
  checking->footer("Example:\n  aftune store check --run run");
  measuring->footer("Example:\n  aftune store stats --run run");
  getting->footer("Example:\n  aftune store get --run run DIGEST -o object");
  measuring->add_flag("--json", args->json, "Print JSON");
  getting->add_option("digest", args->digest, "64 hexadecimal digits")->required();
  getting->add_option("-o,--out", args->out,
                      "File to write; must not exist (default: standard output)");
  return {[cmd] { return cmd->parsed(); },
          [args, checking, measuring] {
            const Status done = checking->parsed()    ? check(*args)
                                : measuring->parsed() ? stats(*args)
                                                      : get(*args);
            return done ? Exit::kOk : report("store", done.error());
          }};
}

}  // namespace aftune::cli
