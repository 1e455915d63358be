// SPDX-License-Identifier: Apache-2.0
// `aftune challenge` for the client, `aftune answer` for the provider.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <iostream>
#include <memory>

#include "aftune/audit/exchange.h"
#include "aftune/audit/retention.h"
#include "aftune/base/log_line.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/contract_file.h"
#include "aftune/cli/document_files.h"
#include "aftune/cli/out_file.h"
#include "aftune/cli/value_checks.h"
#include "aftune/codec/key_file.h"

namespace aftune::cli {
namespace {

struct ChallengeArgs {
  std::string contract, run, secret, key, out;
  std::vector<std::string> witnesses;
  std::uint64_t count = 0;
};

struct AnswerArgs {
  std::string contract, run, challenge, key, out;
};

Result<codec::KeyFile> key_of(const std::string& file, const tlog::VerifierKey& owner,
                              std::string_view role) {
  AFTUNE_TRY(codec::KeyFile key, codec::read_key_file(file));
  if (key.key.public_key() == owner.key) return key;
  return Error{Code::kInvalidInput,
               fmt::format("{} is not the key of the contract's {} ({})", file, role, owner.name)};
}

Status challenge(const ChallengeArgs& args) {
  AFTUNE_TRY(const trace::SignedContract contract, load_signed_contract(args.contract));
  const trace::Contract& terms = contract.contract;
  AFTUNE_TRY(const codec::KeyFile key, key_of(args.key, terms.client, "client"));
  AFTUNE_TRY(check_out_file(args.out));
  audit::ChallengeRequest request{terms, {args.run}, args.secret,
                                  {},    args.count, std::time(nullptr)};
  for (const std::string& place : args.witnesses) request.witnesses.emplace_back(place);
  AFTUNE_TRY(const audit::Challenge asked, audit::make_challenge(request));
  const std::string envelope = audit::sign_challenge(asked, key.key, terms.client.name);
  AFTUNE_TRY(const auto opened, audit::open_challenge(envelope, terms));
  AFTUNE_TRY(write_new_file(args.out, as_bytes(envelope)));
  std::cout << opened.digest.hex() << '\n';
  log_line(
      fmt::format("{}: {} of {} blocks, and the secret, which is one no more: send it to the "
                  "provider, and to the witnesses if the deadline is to be timed",
                  args.out, asked.blocks.size(), terms.block_count()));
  return ok();
}

/// What an answered challenge may need must stay until the client has its verdict.
Status keep_challenge(const trace::RunFolder& run, const audit::SignedChallenge& challenge) {
  const Path file = audit::open_challenge_file(run, challenge.digest);
  AFTUNE_TRY(make_folders(file.parent_path()));
  return write_file(file, as_bytes(challenge.envelope));
}

Status answer(const AnswerArgs& args) {
  AFTUNE_TRY(const trace::SignedContract contract, load_signed_contract(args.contract));
  const trace::Contract& terms = contract.contract;
  AFTUNE_TRY(const codec::KeyFile key, key_of(args.key, terms.provider, "provider"));
  AFTUNE_TRY(check_out_file(args.out));
  AFTUNE_TRY(const audit::SignedChallenge asked, load_challenge(args.challenge, terms));
  AFTUNE_TRY(const audit::Manifest manifest, audit::make_answer({args.run}, terms, asked));
  const std::string envelope = audit::sign_manifest(manifest, key.key, terms.provider.name);
  AFTUNE_TRY(const auto opened, audit::open_manifest(envelope, terms, asked.digest));
  AFTUNE_TRY(keep_challenge({args.run}, asked));
  AFTUNE_TRY(write_new_file(args.out, as_bytes(envelope)));
  std::cout << opened.digest.hex() << '\n';
  log_line(fmt::format(
      "{}: {} objects and {} files answer the challenge for {} blocks: hand them "
      "over with it",
      args.out, manifest.objects.size(), manifest.files.size(), asked.challenge.blocks.size()));
  return ok();
}

}  // namespace

Command add_challenge(CLI::App& app) {
  auto args = std::make_shared<ChallengeArgs>();
  auto* cmd =
      app.add_subcommand("challenge", "Client: draw blocks of a closed run, show the secret");
  cmd->footer(
      "Example:\n  aftune challenge contract.json --run run --secret client.secret --key "
      "keys/client.key --witness witness -o challenge.json");
  cmd->add_option("contract", args->contract, "Contract signed by both sides")->required();
  cmd->add_option("--run", args->run, "The run folder; its log is enough")->required();
  cmd->add_option("--secret", args->secret, "The client's secret")->required();
  cmd->add_option("--key", args->key, "The client's private key")->required();
  cmd->add_option("--witness", args->witnesses,
                  "A witness's folder, a folder of its notes or one note; may stand many times")
      ->type_name("DIR|FILE")
      ->allow_extra_args(false);
  cmd->add_option("--count", args->count,
                  "Ask for so many blocks; at least the policy's number, at most all")
      ->check(check_whole_number);
  cmd->add_option("-o,--out", args->out, "Challenge to write; must not exist")->required();
  return {[cmd] { return cmd->parsed(); },
          [args] {
            const Status done = challenge(*args);
            return done ? Exit::kOk : report("challenge", done.error());
          }};
}

Command add_answer(CLI::App& app) {
  auto args = std::make_shared<AnswerArgs>();
  auto* cmd = app.add_subcommand("answer", "Provider: check a challenge, sign what is handed over");
  cmd->footer(
      "Example:\n  aftune answer contract.json --run run --challenge challenge.json --key "
      "keys/provider.key -o manifest.json");
  cmd->add_option("contract", args->contract, "Contract signed by both sides")->required();
  cmd->add_option("--run", args->run, "The provider's run folder")->required();
  cmd->add_option("--challenge", args->challenge, "The client's challenge")->required();
  cmd->add_option("--key", args->key, "The provider's private key")->required();
  cmd->add_option("-o,--out", args->out, "Manifest to write; must not exist")->required();
  return {[cmd] { return cmd->parsed(); },
          [args] {
            const Status done = answer(*args);
            return done ? Exit::kOk : report("answer", done.error());
          }};
}

}  // namespace aftune::cli
