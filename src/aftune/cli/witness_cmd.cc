// SPDX-License-Identifier: Apache-2.0
// `aftune witness`: watch a run's log grow, and cosign it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <ctime>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>

#include "aftune/audit/challenge_post.h"
#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/contract_file.h"
#include "aftune/cli/document_files.h"
#include "aftune/cli/value_checks.h"
#include "aftune/codec/key_file.h"
#include "aftune/tlog/decimal.h"
#include "aftune/tlog/log_witness.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/run_folder.h"
#include "aftune/trace/timeline.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string contract, run, key, state, publish, challenge, manifest;
  std::uint64_t interval = 5;
  bool follow = false, once = false;
};

constexpr std::uint64_t kMaxNoteBytes = std::uint64_t{1} << 20;
constexpr int kReadAttempts = 5;

/// One log under watch.
struct Watch {
  const Args& args;
  const trace::Contract& contract;
  tlog::LogWitness witness;
  std::string seen;            // the checkpoint file at the last look
  bool has_caught_up = false;  // with all that was cosigned before this process

  [[nodiscard]] Path log() const { return trace::RunFolder{args.run}.log(); }
};

std::uint64_t seconds_now() { return static_cast<std::uint64_t>(std::time(nullptr)); }

void pause(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

/// The name under which the contract knows the key, or the key file's own.
std::string name_of(const trace::Contract& contract, const codec::KeyFile& key) {
  for (const tlog::WitnessKey& witness : contract.audit.witnesses.keys) {
    if (witness.key == key.key.public_key()) return witness.name;
  }
  if (contract.audit.witnesses.asks()) {
    log_line(
        fmt::format("the contract names no witness with this key ({}): its audits will not "
                    "count these cosignatures",
                    key.name));
  }
  return key.name;
}

/// Reads the log while somebody may be writing it: a tile that a fuller one has just replaced is
/// no damage, so a reading that fails is made again. kNotFound: no checkpoint yet.
Result<tlog::LogReading> read_growing(const Watch& watch) {
  for (int attempt = 1;; ++attempt) {
    Result<tlog::LogReading> log = tlog::read_log(watch.log(), watch.contract.log_key());
    if (log) return log;
    std::error_code ignored;
    const bool begun = std::filesystem::exists(watch.log() / "checkpoint", ignored);
    if (!begun) return Error{Code::kNotFound, log.error().what};
    if (attempt == kReadAttempts) {
      Error error = std::move(log).error();
      if (error.code != Code::kUnavailable) error.code = Code::kCorrupt;
      return error;
    }
    pause(0.2);
  }
}

/// The sizes that an earlier process may have cosigned and, killed, not published.
std::vector<std::uint64_t> unpublished(const Watch& watch) {
  std::vector<std::uint64_t> out;
  std::error_code error, ignored;
  for (std::filesystem::directory_iterator at(watch.witness.cosigned_folder(), error), end;
       !error && at != end; at.increment(error)) {
    const auto size = tlog::parse_decimal(at->path().filename().string());
    const Path copy = Path(watch.args.publish) / at->path().filename();
    if (size && !std::filesystem::exists(copy, ignored)) out.push_back(*size);
  }
  return out;
}

Status publish(Watch& watch, std::vector<std::uint64_t> sizes) {
  if (watch.args.publish.empty()) return ok();
  AFTUNE_TRY(make_folders(watch.args.publish));
  if (!std::exchange(watch.has_caught_up, true)) {
    const auto earlier = unpublished(watch);
    sizes.insert(sizes.end(), earlier.begin(), earlier.end());
  }
  for (const std::uint64_t size : sizes) {
    for (const std::string& name : {std::to_string(size), std::to_string(size) + ".last"}) {
      const auto note = read_text_file(watch.witness.cosigned_folder() / name, kMaxNoteBytes);
      if (!note && note.error().code == Code::kNotFound) continue;
      if (!note) return note.error();
      AFTUNE_TRY(write_file(Path(watch.args.publish) / name, as_bytes(*note)));
    }
  }
  return ok();
}

bool has_ended(const trace::Contract& contract, const tlog::LogReading& log) {
  return log.entries.size() == trace::Timeline(contract).entry_count() ||
         (!log.entries.empty() && trace::is_abort(log.entries.back()));
}

/// Whether nothing is new and the last cosignature still covers the present.
bool may_rest(const Watch& watch) {
  const auto checkpoint = read_text_file(watch.log() / "checkpoint", kMaxNoteBytes);
  if (!checkpoint || *checkpoint != watch.seen) return false;
  const std::uint64_t delay = watch.contract.audit.witnesses.max_delay_seconds;
  return delay == 0 ||
         seconds_now() < watch.witness.last_time() + std::max<std::uint64_t>(1, delay / 4);
}

enum class Next { kWait, kEnd, kRefused };

Result<Next> look(Watch& watch) {
  if (may_rest(watch)) return Next::kWait;
  AFTUNE_TRY(const tlog::LogReading log, read_growing(watch));
  AFTUNE_TRY(const tlog::LogWitness::Look seen, watch.witness.look(log, seconds_now()));
  AFTUNE_TRY(publish(watch, seen.cosigned));
  for (const std::uint64_t size : seen.cosigned) {
    std::cout << (watch.witness.cosigned_folder() / std::to_string(size)).string() << std::endl;
    log_line(fmt::format("cosigned {} entries", size));
  }
  if (!seen.refused.empty()) {
    log_line(fmt::format("REFUSED, {}; both notes are kept in {}", printable(seen.refused),
                         seen.evidence.string()));
    return Next::kRefused;
  }
  watch.seen = log.checkpoint_note;
  return has_ended(watch.contract, log) ? Next::kEnd : Next::kWait;
}

/// Returns whether the log was refused.
Result<bool> watch_log(Watch& watch) {
  while (true) {
    const Result<Next> next = look(watch);
    const bool waits = !next && next.error().code == Code::kNotFound && watch.args.follow;
    if (!next && !waits) {
      if (next.error().code != Code::kNotFound) return next.error();
      return Error{Code::kUnavailable, "no checkpoint yet: " + next.error().what};
    }
    if (next && *next == Next::kRefused) return true;
    if (next && *next == Next::kEnd) return false;
    if (!watch.args.follow) return false;
    pause(static_cast<double>(watch.args.interval));
  }
}

/// Copies what is shown of a challenge.
Status publish_challenge(const Args& args, const Path& folder) {
  if (args.publish.empty()) return ok();
  const Path to = Path(args.publish) / "challenges" / folder.filename();
  AFTUNE_TRY(make_folders(to));
  for (const char* name : {"challenge.json", "received", "manifest.json", "manifest_digest",
                           "manifest_received", "timing.json"}) {
    const auto file = read_file(folder / name, std::uint64_t{1} << 30);
    if (!file && file.error().code == Code::kNotFound) continue;
    if (!file) return file.error();
    AFTUNE_TRY(write_file(to / name, *file));
  }
  return ok();
}

/// Times a challenge, and a manifest that answers it.
Status time_challenge(const Args& args, const trace::Contract& contract,
                      const tlog::LogWitness& witness, const codec::KeyFile& key) {
  AFTUNE_TRY(const audit::SignedChallenge asked, load_challenge(args.challenge, contract));
  if (witness.accepted() != std::optional(asked.checkpoint)) {
    return Error{Code::kInvalidInput,
                 fmt::format("the challenge is for {} entries with root {}, this witness has "
                             "cosigned {} entries: not that checkpoint",
                             asked.checkpoint.size, asked.checkpoint.root.hex(), witness.size())};
  }
  const std::int64_t now = std::time(nullptr);
  AFTUNE_TRY(auto post, audit::ChallengePost::take(args.state, asked, now));
  if (!args.manifest.empty()) {
    AFTUNE_TRY(const LoadedManifest answer, load_manifest(args.manifest, contract, asked.digest));
    AFTUNE_TRY(post.take_manifest(answer.envelope, answer.manifest, now));
  }
  AFTUNE_TRY(post.state_timing(contract, key.key, name_of(contract, key), now));
  AFTUNE_TRY(publish_challenge(args, post.folder()));
  std::cout << (post.folder() / "timing.json").string() << '\n';
  return ok();
}

Result<bool> witness(const Args& args) {
  AFTUNE_TRY(const trace::SignedContract contract, load_signed_contract(args.contract));
  AFTUNE_TRY(const codec::KeyFile key, codec::read_key_file(args.key));
  AFTUNE_TRY(tlog::LogWitness witness,
             tlog::LogWitness::open(args.state, contract.contract.log_key(), key.key,
                                    name_of(contract.contract, key)));
  if (!args.challenge.empty()) {
    AFTUNE_TRY(time_challenge(args, contract.contract, witness, key));
    return false;
  }
  Watch watch{args, contract.contract, std::move(witness), ""};
  return watch_log(watch);
}

Exit run_witness(const Args& args) {
  if (args.run.empty() && args.challenge.empty()) {
    return report("witness", Error{Code::kInvalidInput, "needs --run or --challenge"});
  }
  const Result<bool> refused = witness(args);
  if (!refused) return report("witness", refused.error());
  return *refused ? Exit::kRejected : Exit::kOk;
}

}  // namespace

Command add_witness(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("witness", "Watch a run's log grow and cosign its checkpoints");
  cmd->footer(
      "Examples:\n  aftune witness contract.json --run run --key keys/witness.key --state witness "
      "--follow\n"
      "  aftune witness contract.json --run run --key keys/witness.key --state witness --once "
      "--publish received\n"
      "  aftune witness contract.json --key keys/witness.key --state witness --challenge "
      "challenge.json");
  cmd->add_option("contract,--contract", args->contract, "Contract signed by both sides")
      ->required();
  auto* run =
      cmd->add_option("--run", args->run, "Run folder whose log is watched; only log/ is read");
  cmd->add_option("--key", args->key, "The witness's private key")->required();
  cmd->add_option("--state", args->state, "The witness's folder (docs/formats/witness.md)")
      ->required();
  cmd->add_option("--publish", args->publish, "Folder that gets a copy of each cosigned note");
  auto* challenge = cmd->add_option(
      "--challenge", args->challenge,
      "Time a client's challenge and show it to the provider, in place of a look at the log");
  cmd->add_option("--manifest", args->manifest, "With --challenge: the provider's answer to it")
      ->needs(challenge);
  run->excludes(challenge);
  auto* follow = cmd->add_flag("--follow", args->follow, "Go on until the log ends");
  cmd->add_flag("--once", args->once, "One look, and end (the default)")->excludes(follow);
  cmd->add_option("--interval", args->interval, "With --follow: seconds between two looks")
      ->check(check_whole_number);
  return {[cmd] { return cmd->parsed(); }, [args] { return run_witness(*args); }};
}

}  // namespace aftune::cli
