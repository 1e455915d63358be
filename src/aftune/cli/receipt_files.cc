// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/receipt_files.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "aftune/base/hex.h"
#include "aftune/cli/contract_file.h"
#include "aftune/receipt/openai_body.h"

namespace aftune::cli {
namespace {

constexpr std::uint64_t kMaxKey = 4096, kMaxProof = std::uint64_t{2} << 20;

Status needed(const char* flag, const std::string& value) {
  if (!value.empty()) return ok();
  return Error{Code::kInvalidInput, fmt::format("{} is required", flag)};
}

std::string_view without_newline(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

}  // namespace

void add_receipt_options(CLI::App& command, ReceiptArgs& args) {
  command.add_option("--proof", args.proof, "The receipt's proof (.tlog-proof)");
  command.add_option("--answer", args.answer, "The answer that came with it");
  command.add_option("--server", args.server, "The server's public key (.pub)");
  command.add_option("--model-root", args.model_root, "The model root that must be served");
  auto* request = command.add_option("--request", args.request, "The request that you made");
  command.add_option("--asked", args.asked, "The HTTP body that you sent to aftune serve")
      ->excludes(request);
}

Result<ReceiptFiles> load_receipt_files(const ReceiptArgs& args) {
  AFTUNE_TRY(needed("--proof", args.proof));
  AFTUNE_TRY(needed("--answer", args.answer));
  AFTUNE_TRY(needed("--server", args.server));
  ReceiptFiles out;
  AFTUNE_TRY(const std::string receipt, read_text_file(args.receipt, receipt::kMaxReceiptBytes));
  AFTUNE_TRY(out.presented.receipt, receipt::Receipt::parse(receipt).in(args.receipt));
  AFTUNE_TRY(const std::string proof, read_text_file(args.proof, kMaxProof));
  AFTUNE_TRY(out.presented.proof, tlog::decode_tlog_proof(proof).in(args.proof));
  AFTUNE_TRY(const std::string answer, read_text_file(args.answer, receipt::kMaxAnswerBytes));
  AFTUNE_TRY(out.presented.answer, receipt::Answer::parse(answer).in(args.answer));
  AFTUNE_TRY(const std::string key, read_text_file(args.server, kMaxKey));
  AFTUNE_TRY(const tlog::VerifierKey server,
             tlog::parse_verifier_key(without_newline(key)).in(args.server));
  out.expected.server = server.key;
  if (!args.model_root.empty()) {
    AFTUNE_TRY(out.expected.model_root, parse_digest(args.model_root).in("--model-root"));
  }
  if (!args.request.empty()) {
    AFTUNE_TRY(const std::string text, read_text_file(args.request, std::uint64_t{1} << 20));
    AFTUNE_TRY(const codec::Json json,
               codec::parse_json(without_newline(text), {}).in(args.request));
    AFTUNE_TRY(out.expected.request, receipt::Request::parse(json, args.request));
  }
  if (!args.asked.empty()) {
    AFTUNE_TRY(const std::string text, read_text_file(args.asked, receipt::kMaxBodyBytes));
    AFTUNE_TRY(receipt::OpenAiBody asked, receipt::read_openai_body(text).in(args.asked));
    asked.request.input = receipt::input_digest(out.presented.answer.salt, asked.input);
    out.expected.request = std::move(asked.request);
    out.expected.input = std::move(asked.input);
  }
  if (!args.contract.empty()) {
    AFTUNE_TRY(trace::SignedContract signed_contract, load_signed_contract(args.contract));
    out.contract.emplace(std::move(signed_contract.contract));
  }
  return out;
}

receipt::Expected expect(const ReceiptFiles& files) {
  receipt::Expected out = files.expected;
  out.contract = files.contract ? &*files.contract : nullptr;
  return out;
}

Result<ByteBuffer> read_hex_secret(const Path& file) {
  AFTUNE_TRY(const std::string text, read_text_file(file, kMaxKey));
  AFTUNE_TRY(ByteBuffer bytes, from_hex(without_newline(text)).in(file.string()));
  if (bytes.size() == 32) return bytes;
  return Error{Code::kInvalidInput,
               fmt::format("{} has {} bytes, a secret has 32", file.string(), bytes.size())};
}

}  // namespace aftune::cli
