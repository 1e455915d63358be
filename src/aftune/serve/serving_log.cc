// SPDX-License-Identifier: Apache-2.0
#include "aftune/serve/serving_log.h"

#include <fmt/format.h>

#include <utility>

#include "aftune/base/hex.h"
#include "aftune/base/random.h"
#include "aftune/tlog/merkle.h"
#include "aftune/tlog/tlog_proof.h"

namespace aftune::serve {
namespace {

using receipt::Receipt;
using receipt::ServingFolder;
using receipt::Statement;

constexpr std::uint64_t kMaxNote = std::uint64_t{1} << 20;

Result<crypto::SecretBytes> secret_of(const ServingFolder& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder.secret(), error)) {
    std::string text = to_hex(random_bytes(32)) + "\n";
    const Status wrote = write_new_private_file(folder.secret(), as_bytes(text));
    crypto::wipe(text);
    AFTUNE_TRY(wrote);
  }
  return receipt::read_server_secret(folder.secret());
}

/// Writes `text` where nothing is; what is there must be equal.
Status settle(const Path& file, const std::string& text, const char* what) {
  const Result<std::string> there = read_text_file(file, kMaxNote);
  if (there) {
    if (*there == text) return ok();
    return Error{Code::kInvalidInput,
                 fmt::format("{} is of a server that {}", file.string(), what)};
  }
  if (there.error().code != Code::kNotFound) return there.error();
  return write_new_file(file, as_bytes(text));
}

Receipt receipt_for(const Generated& answer, const Statement& statement, std::uint64_t position) {
  Receipt out;
  out.salt = *to_digest(random_bytes(32));
  out.statement = statement;
  receipt::Body& body = out.body;
  body.position = position;
  body.statement = statement.digest();
  body.id = answer.task.id;
  body.request = answer.task.request;
  body.seed = answer.task.seed;
  body.prompt = receipt::prompt_digest(answer.task.salt, answer.task.prompt);
  body.prompt_tokens = answer.task.prompt.size();
  body.output = receipt::output_digest(answer.task.salt, answer.output);
  body.output_tokens = answer.output.size();
  body.text = receipt::text_digest(answer.task.salt, answer.text);
  body.finish = answer.finish;
  body.edges = answer.edges;
  body.logits = answer.logits;
  return out;
}

receipt::Answer answer_of(Generated answer) {
  return {std::move(answer.task.input), answer.task.salt, std::move(answer.task.prompt),
          std::move(answer.output), std::move(answer.text)};
}

}  // namespace

ServingLog::ServingLog(ServingFolder folder, Statement statement, crypto::SecretBytes secret,
                       FileLock lock, trace::Store store, tlog::LogWriter log)
    : folder_(std::move(folder)),
      statement_(std::move(statement)),
      secret_(std::move(secret)),
      lock_(std::move(lock)),
      store_(std::move(store)),
      log_(std::move(log)) {}

Result<ServingLog> ServingLog::open(const Path& path, Statement statement,
                                    const crypto::PrivateKey& key,
                                    const std::optional<Digest>& root_salt) {
  ServingFolder folder{path};
  AFTUNE_TRY(make_folders(folder.receipts()));
  AFTUNE_TRY(FileLock lock, FileLock::acquire(folder.lock()));
  AFTUNE_TRY(crypto::SecretBytes secret, secret_of(folder));
  statement.secret_sha256 = receipt::server_secret_commitment(secret.reveal());
  const std::string text = statement.text();
  if (text.size() > receipt::kMaxStatementBytes) {
    return Error{Code::kInvalidInput, fmt::format("a statement of {} bytes, at most {}",
                                                  text.size(), receipt::kMaxStatementBytes)};
  }
  AFTUNE_TRY(settle(folder.statement(), text, "states something else"));
  if (root_salt) {
    AFTUNE_TRY(settle(folder.root_salt(), root_salt->hex() + "\n", "salts its root otherwise"));
  }
  AFTUNE_TRY(trace::Store store, trace::Store::open(folder.store(), trace::Store::Open::kCreate));
  const std::string origin = statement.log_key(key.public_key()).name;
  AFTUNE_TRY(tlog::LogWriter log, tlog::LogWriter::open(folder.log(), origin, key));
  ServingLog out(std::move(folder), std::move(statement), std::move(secret), std::move(lock),
                 std::move(store), std::move(log));
  AFTUNE_TRY(out.take_up());
  return out;
}

Status ServingLog::take_up() {
  const std::string text = statement_.text();
  if (log_.entries().empty()) {
    AFTUNE_TRY(log_.append(text));
  } else if (log_.entries().front() != text) {
    return Error{Code::kCorrupt, folder_.log().string() + ": entry 0 is another statement"};
  }
  if (log_.signed_size() < log_.entries().size()) AFTUNE_TRY(log_.sign());
  for (const std::string& entry : log_.entries()) tree_.append(tlog::leaf_hash(as_bytes(entry)));
  for (std::uint64_t position = 1; position < size(); ++position) {
    std::error_code error;
    if (std::filesystem::exists(folder_.proof(position), error)) continue;
    AFTUNE_TRY(prove(position));
  }
  return ok();
}

Result<std::string> ServingLog::current_note() const {
  return read_text_file(folder_.log() / "checkpoint", kMaxNote);
}

/// The proof of a signed entry, as text, written beside its receipt.
Result<std::string> ServingLog::prove(std::uint64_t position) {
  tlog::TlogProof proof;
  proof.index = position;
  proof.path = tree_.proof(position);
  AFTUNE_TRY(proof.checkpoint_note, current_note());
  std::string text = tlog::encode_tlog_proof(proof);
  AFTUNE_TRY(write_file(folder_.proof(position), as_bytes(text)));
  return text;
}

Result<Receipt> ServingLog::log_one(const Generated& answer) {
  Receipt receipt = receipt_for(answer, statement_, size());
  const std::string text = receipt.text();
  AFTUNE_TRY(write_file(folder_.receipt(size()), as_bytes(text)));
  const std::string entry = receipt.entry();
  AFTUNE_TRY(log_.append(entry));
  tree_.append(tlog::leaf_hash(as_bytes(entry)));
  return receipt;
}

Result<std::vector<Receipted>> ServingLog::issue(std::vector<Generated> answers) {
  for (const Generated& answer : answers) {
    for (const StoredEdge& edge : answer.stored) {
      AFTUNE_TRY(store_.put(edge.digest, edge.bytes));
    }
  }
  AFTUNE_TRY(store_.sync());
  std::vector<Receipted> out;
  for (Generated& answer : answers) {
    AFTUNE_TRY(Receipt receipt, log_one(answer));
    std::string text = receipt.text();
    out.push_back({std::move(receipt), std::move(text), {}, answer_of(std::move(answer))});
  }
  if (out.empty()) return out;
  AFTUNE_TRY(log_.sign());
  for (Receipted& one : out) {
    AFTUNE_TRY(one.proof_text, prove(one.receipt.body.position));
  }
  return out;
}

std::vector<Receipted> ServingLog::unreceipted(std::vector<Generated> answers) const {
  std::vector<Receipted> out;
  for (Generated& answer : answers) {
    Receipt receipt = receipt_for(answer, statement_, 0);
    out.push_back({std::move(receipt), {}, {}, answer_of(std::move(answer))});
  }
  return out;
}

}  // namespace aftune::serve
