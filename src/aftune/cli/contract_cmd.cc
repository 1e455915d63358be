// SPDX-License-Identifier: Apache-2.0
// `aftune contract draft | sign | show | verify`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <iostream>
#include <memory>

#include "aftune/base/log_line.h"
#include "aftune/base/random.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/contract_file.h"
#include "aftune/cli/draft.h"
#include "aftune/cli/out_file.h"
#include "aftune/codec/key_file.h"

namespace aftune::cli {
namespace {

struct Args {
  std::string job, out, file, role, key;
};

Result<codec::Dsse> load_envelope(const Path& file) {
  AFTUNE_TRY(const std::string text, read_text_file(file, 2 * trace::kMaxContractBytes));
  return codec::decode_dsse(text, trace::kContractPayloadType, 2 * trace::kMaxContractBytes)
      .in(file.string());
}

Status draft(const Args& args, const std::vector<std::string>& more) {
  AFTUNE_TRY(check_out_file(args.out));
  AFTUNE_TRY(const std::vector<JobFlag> flags, job_flags(more));
  AFTUNE_TRY(const Draft draft, draft_contract(args.job, std::time(nullptr), flags));
  const codec::Dsse envelope{
      std::string(trace::kContractPayloadType), draft.contract.payload(), {}};
  AFTUNE_TRY(write_new_file(args.out, as_bytes(codec::encode_dsse(envelope))));
  for (const std::string& line : draft.filled_in) log_line("filled in  " + line);
  log_line(
      fmt::format("{}: contract {}, {} blocks, not signed yet: each side reads it "
                  "(`aftune contract show`) and signs",
                  args.out, draft.contract.digest().hex(), draft.contract.block_count()));
  return ok();
}

Status sign(const Args& args) {
  AFTUNE_TRY(codec::Dsse envelope, load_envelope(args.file));
  AFTUNE_TRY(const trace::Contract contract,
             trace::Contract::parse(envelope.payload).in(args.file));
  AFTUNE_TRY(const codec::KeyFile key, codec::read_key_file(args.key));
  const tlog::VerifierKey& expected = args.role == "client" ? contract.client : contract.provider;
  if (key.key.public_key() != expected.key) {
    return Error{Code::kInvalidInput, fmt::format("{} is not the key of the contract's {} ({})",
                                                  args.key, args.role, expected.name)};
  }
  envelope.sign(key.key, expected.name);
  AFTUNE_TRY(write_file(args.file, as_bytes(codec::encode_dsse(envelope))));
  log_line(fmt::format("{}: signed by the {} ({})", args.file, args.role, expected.name));
  return ok();
}

Status show(const Args& args) {
  AFTUNE_TRY(const codec::Dsse envelope, load_envelope(args.file));
  AFTUNE_TRY(const trace::Contract contract,
             trace::Contract::parse(envelope.payload).in(args.file));
  AFTUNE_TRY(const codec::Json json,
             codec::parse_json(envelope.payload, {.bytes = trace::kMaxContractBytes}));
  std::cout << codec::pretty_json(json) << '\n';
  for (const auto& [who, key] :
       {std::pair{"client", &contract.client}, std::pair{"provider", &contract.provider}}) {
    log_line(fmt::format("{} ({}): {}", who, key->name,
                         envelope.signed_by(key->key) ? "signed" : "NOT signed"));
  }
  log_line("contract " + contract.digest().hex());
  return ok();
}

Status verify(const Args& args) {
  AFTUNE_TRY(const trace::SignedContract contract, load_signed_contract(args.file));
  std::cout << contract.contract.digest().hex() << '\n';
  log_line("both signatures hold");
  return ok();
}

/// One side's share of the seed: the commitment is shown first, the nonce when both are known.
Status nonce(const Args& args) {
  AFTUNE_TRY(const Digest fresh, to_digest(random_bytes(32)));
  AFTUNE_TRY(write_new_private_file(args.out, as_bytes(fresh.hex() + "\n")));
  std::cout << trace::nonce_commitment(fresh).hex() << '\n';
  log_line(
      fmt::format("{}: your nonce; send the commitment above now, and the nonce when you have "
                  "the other side's commitment",
                  args.out));
  return ok();
}

Exit finish(const Status& done) { return done ? Exit::kOk : report("contract", done.error()); }

}  // namespace

Command add_contract(CLI::App& app) {
  auto args = std::make_shared<Args>();
  auto* cmd = app.add_subcommand("contract", "Draft, sign, show and verify contracts");
  cmd->require_subcommand(1);
  cmd->footer(
      "Examples:\n  aftune contract draft -c job.yaml -o contract.json\n"
      "  aftune contract sign contract.json --role client --key keys/client.key\n"
      "  aftune contract show contract.json\n  aftune contract verify contract.json");
  auto* drafting = cmd->add_subcommand("draft", "Complete and check a job file");
  drafting->footer(
      "Any key of the job file may be given as a flag, which wins: --KEY VALUE, maps dotted.\n"
      "Examples:\n  aftune contract draft -c job.yaml -o contract.json\n"
      "  aftune contract draft -c job.yaml -o contract.json --learning_rate 1e-4 "
      "--grid.state_interval 4");
  drafting->allow_extras();
  drafting->add_option("-c,--config", args->job, "The job file (docs/guides/job.md)")->required();
  drafting->add_option("-o,--out", args->out, "Contract to write; must not exist")->required();
  auto* signing = cmd->add_subcommand("sign", "Add one side's signature");
  signing->footer(
      "Example:\n  aftune contract sign contract.json --role provider --key keys/provider.key");
  signing->add_option("contract", args->file)->required();
  signing->add_option("--role", args->role)
      ->required()
      ->check(CLI::IsMember({"client", "provider"}));
  signing->add_option("--key", args->key, "Private key file")->required();
  auto* showing = cmd->add_subcommand("show", "Print the contract and who signed it");
  showing->footer("Example:\n  aftune contract show contract.json");
  showing->add_option("contract", args->file)->required();
  auto* verifying = cmd->add_subcommand("verify", "Check form and both signatures");
  verifying->footer("Example:\n  aftune contract verify contract.json");
  verifying->add_option("contract", args->file)->required();
  auto* making = cmd->add_subcommand("nonce", "Make one side's share of the seed");
  making->footer("Example:\n  aftune contract nonce -o client.nonce");
  making->add_option("-o,--out", args->out, "File for the nonce; must not exist")->required();
  return {[cmd] { return cmd->parsed(); },
          [args, drafting, signing, showing, making] {
            if (making->parsed()) return finish(nonce(*args));
            if (drafting->parsed()) return finish(draft(*args, drafting->remaining()));
            if (signing->parsed()) return finish(sign(*args));
            if (showing->parsed()) return finish(show(*args));
            return finish(verify(*args));
          }};
}

}  // namespace aftune::cli
