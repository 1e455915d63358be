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
#include "aftune/cli/receipt_files.h"
#include "aftune/cli/received_answer.h"
#include "aftune/cli/serving_place.h"
#include "aftune/cli/value_checks.h"
#include "aftune/serve/server.h"

namespace aftune::cli {
namespace {

struct AskArgs {
  ServingArgs place;
  std::string prompt, out, audit_secret;
  std::uint64_t max_tokens = 48, seed = 0;
  double temperature = 0, top_p = 1, penalty = 1;
  std::uint32_t top_k = 0;
  bool chat = false, has_seed = false;
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
            << fmt::format("  request    {}\n", args.request.empty() && args.asked.empty()
                                                    ? "NOT COMPARED: no --request or --asked"
                                                    : "compared")
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

Status write_receipted(const Path& folder, const serve::Receipted& given) {
  const std::string request = codec::canonical_json(given.receipt.body.request.json());
  return write_answer_files(folder,
                            {given.receipt_text, given.proof_text, given.answer.text(), request});
}

Result<std::string> answer_one(const AskArgs& args) {
  AFTUNE_TRY(serve::Ask ask, ask_of(args));
  AFTUNE_TRY(const auto place, open_serving_place(args.place));
  serve::ServingLog& log = *place->log;
  AFTUNE_TRY(serve::Task task,
             serve::task_of(std::move(ask), log.statement(), place->model.tokenizer, log.secret()));
  serve::Generator generator(place->machine.engine, *place->decoder, place->model.tokenizer,
                             log.statement(), {});
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

struct UnpackArgs {
  std::string response, out;
};

Status unpack(const UnpackArgs& args) {
  AFTUNE_TRY(const std::string text, read_text_file(args.response, kMaxReceived));
  AFTUNE_TRY(const ReceivedAnswer received, read_received(text).in(args.response));
  return write_answer_files(args.out, received);
}

Exit run_unpack(const UnpackArgs& args) {
  const Status done = unpack(args);
  return done ? Exit::kOk : report("receipt unpack", done.error());
}

Exit run_secret(const std::string& file) {
  const auto commitment = secret_commitment(file);
  if (!commitment) return report("receipt secret", commitment.error());
  std::cout << commitment->hex() << '\n';
  return Exit::kOk;
}

void add_unpack(CLI::App& app, UnpackArgs& args) {
  auto* cmd =
      app.add_subcommand("unpack", "Take the receipt's files out of what an endpoint answered");
  cmd->footer("Example:\n  aftune receipt unpack response.json -o answer");
  cmd->add_option("response", args.response, "The body of the answer, or of its stream")
      ->required();
  cmd->add_option("-o,--out", args.out, "Folder for receipt, proof, request and answer")
      ->required();
}

void add_secret(CLI::App& app, std::string& file) {
  auto* cmd = app.add_subcommand("secret", "Print what a request says of your audit secret");
  cmd->footer("Example:\n  aftune receipt secret my.secret");
  cmd->add_option("file", file, "The secret; made if it is not there")->required();
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
  add_serving_options(*cmd, args.place);
  cmd->add_option("--prompt", args.prompt, "Text to continue")->required();
  cmd->add_option("-o,--out", args.out, "Folder for receipt, proof, request and answer")
      ->required();
  cmd->add_option("--audit-secret", args.audit_secret,
                  "File of the secret that the request commits to; made if it is not there");
  cmd->add_flag("--chat", args.chat, "Put the prompt into the model's chat template");
  cmd->add_option("--max-tokens", args.max_tokens, "At most so many new tokens")
      ->check(CLI::Range(std::uint64_t{1}, receipt::kMaxOutput));
  cmd->add_option("--temperature", args.temperature, "0 is greedy")->check(check_finite);
  cmd->add_option("--top-k", args.top_k, "0: off");
  cmd->add_option("--top-p", args.top_p, "1: off")->check(check_finite);
  cmd->add_option("--repetition-penalty", args.penalty, "1: off")->check(check_finite);
  cmd->add_option_function<std::uint64_t>(
      "--seed",
      [&args](std::uint64_t seed) {
        args.seed = seed;
        args.has_seed = true;
      },
      "Your own seed; without it one follows from the server's secret");
}

}  // namespace

Command add_receipt(CLI::App& app) {
  auto verify = std::make_shared<ReceiptArgs>();
  auto ask = std::make_shared<AskArgs>();
  auto unpacked = std::make_shared<UnpackArgs>();
  auto secret = std::make_shared<std::string>();
  auto* cmd = app.add_subcommand("receipt", "Receipts of served answers");
  cmd->require_subcommand(1);
  add_verify(*cmd, *verify);
  add_make(*cmd, *ask);
  add_unpack(*cmd, *unpacked);
  add_secret(*cmd, *secret);
  return {[cmd] { return cmd->parsed(); },
          [cmd, verify, ask, unpacked, secret] {
            if (cmd->got_subcommand("verify")) return run_verify(*verify);
            if (cmd->got_subcommand("unpack")) return run_unpack(*unpacked);
            if (cmd->got_subcommand("secret")) return run_secret(*secret);
            return run_ask(*ask);
          }};
}

}  // namespace aftune::cli
