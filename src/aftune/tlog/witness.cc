// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/witness.h"

#include <fmt/format.h>

#include <utility>

#include "aftune/base/check.h"
#include "aftune/codec/base64.h"
#include "aftune/tlog/decimal.h"
#include "aftune/tlog/merkle.h"

namespace aftune::tlog {
namespace {

constexpr std::string_view kOld = "old ";
constexpr std::size_t kMaxProof = 63;

Error invalid(std::string what) {
  return {Code::kInvalidInput, "add-checkpoint: " + std::move(what)};
}

Result<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return invalid("text ends before the checkpoint");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

/// Whether `to` continues `from` (none: nothing was cosigned yet) by `proof`.
bool continues(const std::optional<Checkpoint>& from, const Checkpoint& to,
               const std::vector<Digest>& proof) {
  if (!from || from->size == 0) {
    return proof.empty() && (to.size > 0 || to.root == merkle_root({}));
  }
  return verify_consistency(from->size, from->root, to.size, to.root, proof);
}

}  // namespace

std::string encode_add_checkpoint(const AddCheckpoint& request) {
  std::string out = fmt::format("{}{}\n", kOld, request.old_size);
  for (const Digest& hash : request.proof) out += codec::to_base64(hash.view()) + "\n";
  return out + "\n" + request.note;
}

Result<AddCheckpoint> decode_add_checkpoint(std::string_view text) {
  AddCheckpoint out;
  AFTUNE_TRY(std::string_view line, take_line(text));
  if (!line.starts_with(kOld)) return invalid("first line does not begin with \"old \"");
  AFTUNE_TRY(out.old_size, parse_decimal(line.substr(kOld.size())).in("add-checkpoint: old size"));
  while (true) {
    AFTUNE_TRY(line, take_line(text));
    if (line.empty()) break;
    if (out.proof.size() == kMaxProof) return invalid(fmt::format("over {} hashes", kMaxProof));
    AFTUNE_TRY(const ByteBuffer bytes, codec::from_base64(line).in("add-checkpoint: hash"));
    AFTUNE_TRY(const Digest hash, to_digest(bytes).in("add-checkpoint: hash"));
    out.proof.push_back(hash);
  }
  out.note = text;
  return out;
}

std::string_view answer_name(WitnessAnswer answer) {
  switch (answer) {
    case WitnessAnswer::kAccepted:
      return "accepted";
    case WitnessAnswer::kMalformed:
      return "malformed";
    case WitnessAnswer::kUnknownLog:
      return "unknown log";
    case WitnessAnswer::kBadSignature:
      return "bad signature";
    case WitnessAnswer::kOldTooLarge:
      return "old too large";
    case WitnessAnswer::kConflict:
      return "conflict";
    case WitnessAnswer::kBadProof:
      return "bad proof";
  }
  return "?";
}

unsigned http_status(WitnessAnswer answer) {
  switch (answer) {
    case WitnessAnswer::kAccepted:
      return 200;
    case WitnessAnswer::kMalformed:
    case WitnessAnswer::kOldTooLarge:
      return 400;
    case WitnessAnswer::kUnknownLog:
      return 404;
    case WitnessAnswer::kBadSignature:
      return 403;
    case WitnessAnswer::kConflict:
      return 409;
    case WitnessAnswer::kBadProof:
      return 422;
  }
  return 500;
}

void Witness::watch(VerifierKey log, std::optional<Checkpoint> latest) {
  std::string origin = log.name;
  AFTUNE_CHECK(!latest || latest->origin == origin, "a checkpoint of another log");
  const auto [at, is_new] =
      logs_.emplace(std::move(origin), Watched{std::move(log), std::move(latest)});
  AFTUNE_CHECK(is_new, "log " + at->first + " is watched already");
}

WitnessDecision Witness::consider(const AddCheckpoint& request) const {
  WitnessDecision out;
  const auto refuse = [&out](WitnessAnswer answer, std::string reason) {
    out.answer = answer;
    out.reason = std::move(reason);
    return out;
  };
  const Result<SignedNote> note = decode_note(request.note);
  if (!note) {
    // It carries no signature that anybody could check.
    return refuse(WitnessAnswer::kBadSignature, "invalid signature: " + note.error().what);
  }
  const std::string_view origin = std::string_view(note->text).substr(0, note->text.find('\n'));
  const auto log = logs_.find(origin);
  if (log == logs_.end()) {
    return refuse(WitnessAnswer::kUnknownLog, fmt::format("unknown log {}", origin));
  }
  const std::optional<Checkpoint>& latest = log->second.latest;
  out.latest_size = latest ? latest->size : 0;
  if (!note->signed_by(log->second.key)) {
    return refuse(WitnessAnswer::kBadSignature, "invalid signature of the log");
  }
  Result<Checkpoint> checkpoint = parse_checkpoint_text(note->text);
  if (!checkpoint) return refuse(WitnessAnswer::kMalformed, checkpoint.error().what);
  if (request.old_size > checkpoint->size) {
    return refuse(WitnessAnswer::kOldTooLarge, fmt::format("old size {}, the checkpoint has {}",
                                                           request.old_size, checkpoint->size));
  }
  if (request.old_size != out.latest_size) {
    return refuse(WitnessAnswer::kConflict, fmt::format("old size {}, cosigned last was {}",
                                                        request.old_size, out.latest_size));
  }
  if (latest && latest->size == checkpoint->size && latest->root != checkpoint->root) {
    return refuse(WitnessAnswer::kConflict,
                  fmt::format("size {} has root {}, cosigned was {}", checkpoint->size,
                              checkpoint->root.hex(), latest->root.hex()));
  }
  if (!continues(latest, *checkpoint, request.proof)) {
    return refuse(WitnessAnswer::kBadProof,
                  fmt::format("the consistency proof does not lead from size {} to size {}",
                              out.latest_size, checkpoint->size));
  }
  out.answer = WitnessAnswer::kAccepted;
  out.checkpoint = *std::move(checkpoint);
  return out;
}

void Witness::accept(const Checkpoint& checkpoint) {
  const auto log = logs_.find(checkpoint.origin);
  AFTUNE_CHECK(log != logs_.end(), "a checkpoint of a log that is not watched");
  AFTUNE_CHECK(!log->second.latest || log->second.latest->size <= checkpoint.size,
               "a witness never goes back");
  log->second.latest = checkpoint;
}

Result<std::optional<Checkpoint>> Witness::latest(std::string_view origin) const {
  const auto log = logs_.find(origin);
  if (log != logs_.end()) return log->second.latest;
  return Error{Code::kNotFound, fmt::format("log {} is not watched", origin)};
}

}  // namespace aftune::tlog
