// SPDX-License-Identifier: Apache-2.0
// `aftune receipt`: check a receipt offline; answer one prompt with a receipt.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "aftune/base/hex.h"
#include "aftune/base/log_line.h"
#include "aftune/base/random.h"
#include "aftune/cli/commands.h"
#include "aftune/cli/contract_file.h"
#include "aftune/cli/machine.h"
#include "aftune/cli/receipt_files.h"
#include "aftune/cli/value_checks.h"
#include "aftune/codec/key_file.h"
#include "aftune/serve/server.h"
#include "aftune/serve/training_link.h"

namespace aftune::cli {
namespace {

struct AskArgs {
  std::string folder, serving, key, prompt, out, audit_secret, contract, run;
  std::uint64_t max_tokens = 48, seed = 0, layers_per_block = 3, edge_interval = 1;
  double temperature = 0, top_p = 1, penalty = 1;
  std::uint32_t top_k = 0;
  bool chat = false, has_seed = false;
  MachineArgs machine;
};

Exit run_verify(const ReceiptArgs& args) {
  const auto files = load_receipt_files(args);
  if (!files) return report("receipt verify", files.error());
  const auto findings = receipt::check_receipt(files->presented, expect(*files));
  const receipt::Receipt& given = files->presented.receipt;
  const receipt::Body& body = given.body;
  if (findings.empty()) {
    std::cout << "HOLDS: the answer is the one that this receipt was logged for\n";
  } else {
    std::cout << "REFUTED: the receipt does not hold for this answer\n";
  }
  std::cout << fmt::format("  receipt    entry {}, request {}\n", body.position, body.id)
            << fmt::format("  log        aftune/serve/{}\n", given.statement.digest().hex())
            << fmt::format("  model      root {}{}\n", given.statement.model_root.hex(),
                           args.model_root.empty() ? ", NOT COMPARED: no --model-root" : "")
            << fmt::format("  training   {}\n", files->contract
                                                    ? "compared with the contract's close"
                                                : given.statement.training
                                                    ? "stated, NOT COMPARED: no contract was given"
                                                    : "none stated")
            << fmt::format("  request    {}\n",
                           args.request.empty() ? "NOT COMPARED: no --request" : "compared")
            << fmt::format("  answer     {} tokens, finished by {}; seed: {}\n", body.output_tokens,
                           receipt::finish_name(body.finish),
                           receipt::seed_kind_name(body.seed.kind));
  for (const receipt::ReceiptFinding& one : findings) {
    std::cout << fmt::format("  found      [{}] {}\n", receipt::check_name(one.check),
                             printable(one.message));
  }
  std::cout << "  not told   whether the model gave this answer: `aftune audit --receipt`\n";
  return findings.empty() ? Exit::kOk : Exit::kRejected;
}

Result<Digest> secret_commitment(const std::string& file) {
  const Result<ByteBuffer> there = read_hex_secret(file);
  if (there) return receipt::audit_secret_commitment(*there);
  if (there.error().code != Code::kNotFound) return there.error();
  const ByteBuffer made = random_bytes(32);
  const std::string text = to_hex(made) + "\n";
  AFTUNE_TRY(write_new_private_file(file, as_bytes(text)));
  return receipt::audit_secret_commitment(made);
}

Result<serve::Ask> ask_of(const AskArgs& args) {
  serve::Ask ask;
  if (args.chat) {
    ask.input = std::vector<receipt::ChatMessage>{{"user", args.prompt}};
  } else {
    ask.input = args.prompt;
  }
  ask.max_tokens = args.max_tokens;
  ask.sampling = {args.temperature, args.top_k, args.top_p, args.penalty};
  if (args.has_seed) ask.seed = args.seed;
  AFTUNE_TRY(ask.nonce, to_digest(random_bytes(32)));
  if (!args.audit_secret.empty()) {
    AFTUNE_TRY(ask.audit_sha256, secret_commitment(args.audit_secret));
  }
  return ask;
}

/// All files of an answer, in a folder that must not have them.
Status write_receipted(const Path& folder, const serve::Receipted& given) {
  AFTUNE_TRY(make_folders(folder));
  const std::string request = codec::canonical_json(given.receipt.body.request.json());
  AFTUNE_TRY(write_new_file(folder / "receipt.json", as_bytes(given.receipt_text)));
  AFTUNE_TRY(write_new_file(folder / "receipt.tlog-proof", as_bytes(given.proof_text)));
  AFTUNE_TRY(write_new_file(folder / "request.json", as_bytes(request)));
  return write_new_file(folder / "answer.json", as_bytes(given.answer.text()));
}

/// The folder of the log, and what it states.
Result<serve::ServingLog> open_log(const AskArgs& args, const receipt::ServedModel& model,
                                   const crypto::PrivateKey& key, ThreadPool& pool) {
  receipt::Statement statement =
      receipt::statement_of(model, {static_cast<std::uint32_t>(args.layers_per_block),
                                    static_cast<std::uint32_t>(args.edge_interval)});
  std::optional<Digest> salt;
  if (!args.run.empty()) {
    AFTUNE_TRY(const trace::SignedContract contract, load_signed_contract(args.contract));
    AFTUNE_TRY(serve::TrainingLink link, serve::link_to_training(contract.contract, {args.run}));
    statement.training = std::move(link.trained);
    salt = link.root_salt;
    statement.model_salted = salt.has_value();
    statement.model_root = receipt::root_of(model, salt, pool);
    AFTUNE_TRY(receipt::check_training(statement, contract.contract));
  } else {
    statement.model_root = receipt::root_of(model, std::nullopt, pool);
  }
  return serve::ServingLog::open(args.serving, std::move(statement), key, salt);
}

Result<std::string> answer_one(const AskArgs& args) {
  AFTUNE_TRY(const Machine machine, make_machine(args.machine));
  AFTUNE_TRY(const codec::KeyFile key, codec::read_key_file(args.key));
  AFTUNE_TRY(const receipt::ServedModel model, receipt::open_served_model(args.folder));
  AFTUNE_TRY(serve::Ask ask, ask_of(args));
  AFTUNE_TRY(serve::ServingLog log, open_log(args, model, key.key, *machine.pool));
  AFTUNE_TRY(serve::Task task,
             serve::task_of(std::move(ask), log.statement(), model.tokenizer, log.secret()));
  const model::Llama llama{model.folder.config,
                           Tensor::copy_of(*model.folder.tables.find(model::kInvFreqName))};
  AFTUNE_TRY(const model::Decoder decoder,
             model::Decoder::create(machine.engine, llama, [&](const std::string& name) {
               return *model.folder.parameters.find(name);
             }));
  serve::Generator generator(machine.engine, decoder, model.tokenizer, log.statement(), {});
  Result<serve::Generated> made = Error{Code::kUnavailable, "no answer"};
  generator.add(std::move(task),
                {{}, [&](Result<serve::Generated> one) { made = std::move(one); }});
  while (!generator.idle()) generator.step();
  if (!made) return made.error();
  std::vector<serve::Generated> answers;
  answers.push_back(*std::move(made));
  AFTUNE_TRY(const std::vector<serve::Receipted> given, log.issue(std::move(answers)));
  AFTUNE_TRY(write_receipted(args.out, given.front()));
  return given.front().answer.text_of_output;
}

Exit run_ask(const AskArgs& args) {
  const auto text = answer_one(args);
  if (!text) return report("receipt make", text.error());
  std::cout << *text << '\n';
  return Exit::kOk;
}

void add_verify(CLI::App& app, ReceiptArgs& args) {
  auto* cmd = app.add_subcommand("verify", "Check a receipt offline: exit 0 holds, 1 refuted");
  cmd->footer(
      "Example:\n  aftune receipt verify receipt.json --proof receipt.tlog-proof --answer "
      "answer.json --server server.pub --request request.json");
  cmd->add_option("receipt", args.receipt, "The receipt")->required();
  add_receipt_options(*cmd, args);
  cmd->add_option("--contract", args.contract, "The contract of the run that the model is from");
}

void add_make(CLI::App& app, AskArgs& args) {
  auto* cmd = app.add_subcommand("make", "Answer one prompt, with a receipt, without a server");
  cmd->footer(
      "Example:\n  aftune receipt make model --serving serving --key server.key --chat --prompt "
      "'What is a Merkle tree?' --audit-secret my.secret -o answer");
  cmd->add_option("folder", args.folder, "Model folder")->required();
  cmd->add_option("--serving", args.serving, "Serving folder; made if it is not there")->required();
  cmd->add_option("--key", args.key, "The server's private key")->required();
  cmd->add_option("--prompt", args.prompt, "Text to continue")->required();
  cmd->add_option("-o,--out", args.out, "Folder for receipt, proof, request and answer")
      ->required();
  cmd->add_option("--audit-secret", args.audit_secret,
                  "File of the secret that the request commits to; made if it is not there");
  auto* contract = cmd->add_option("--contract", args.contract,
                                   "The contract of the run that trained the model");
  cmd->add_option("--run", args.run, "That run: its close is stated")->needs(contract);
  cmd->add_flag("--chat", args.chat, "Put the prompt into the model's chat template");
  cmd->add_option("--max-tokens", args.max_tokens, "At most so many new tokens")
      ->check(CLI::Range(std::uint64_t{1}, receipt::kMaxOutput));
  cmd->add_option("--temperature", args.temperature, "0 is greedy")->check(check_finite);
  cmd->add_option("--top-k", args.top_k, "0: off");
  cmd->add_option("--top-p", args.top_p, "1: off")->check(check_finite);
  cmd->add_option("--repetition-penalty", args.penalty, "1: off")->check(check_finite);
  cmd->add_option("--layers-per-block", args.layers_per_block, "Layers between two edges")
      ->check(CLI::Range(1, 4096));
  cmd->add_option("--edge-interval", args.edge_interval, "Every so many edges are stored")
      ->check(CLI::Range(1, 65536));
  cmd->add_option_function<std::uint64_t>(
      "--seed",
      [&args](std::uint64_t seed) {
        args.seed = seed;
        args.has_seed = true;
      },
      "Your own seed; without it one follows from the server's secret");
  add_machine_options(*cmd, args.machine);
}

}  // namespace

Command add_receipt(CLI::App& app) {
  auto verify = std::make_shared<ReceiptArgs>();
  auto ask = std::make_shared<AskArgs>();
  auto* cmd = app.add_subcommand("receipt", "Receipts of served answers");
  cmd->require_subcommand(1);
  add_verify(*cmd, *verify);
  add_make(*cmd, *ask);
  return {[cmd] { return cmd->parsed(); },
          [cmd, verify, ask] {
            return cmd->got_subcommand("verify") ? run_verify(*verify) : run_ask(*ask);
          }};
}

}  // namespace aftune::cli
