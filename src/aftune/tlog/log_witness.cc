// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/log_witness.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "aftune/crypto/sha256.h"

namespace aftune::tlog {
namespace {

constexpr std::uint64_t kMaxNoteBytes = std::uint64_t{1} << 20;

/// A file's text, or nothing if it is not there.
Result<std::optional<std::string>> read_if_there(const Path& path) {
  Result<std::string> text = read_text_file(path, kMaxNoteBytes);
  if (text) return std::optional(*std::move(text));
  if (text.error().code == Code::kNotFound) return std::optional<std::string>();
  return std::move(text).error();
}

}  // namespace

LogWitness::LogWitness(Path folder, VerifierKey log, const crypto::PrivateKey& key,
                       std::string name, FileLock lock)
    : folder_(std::move(folder)),
      log_(std::move(log)),
      key_(&key),
      name_(std::move(name)),
      lock_(std::move(lock)) {}

Result<LogWitness> LogWitness::open(const Path& folder, const VerifierKey& log,
                                    const crypto::PrivateKey& key, std::string name) {
  AFTUNE_TRY(make_folders(folder / "cosigned"));
  AFTUNE_TRY(FileLock lock, FileLock::acquire(folder / "lock"));
  LogWitness out(folder, log, key, std::move(name), std::move(lock));
  AFTUNE_TRY(out.load());
  return out;
}

Status LogWitness::load() {
  const Path file = folder_ / "log";
  AFTUNE_TRY(const auto known, read_if_there(file));
  if (!known) AFTUNE_TRY(write_new_file(file, as_bytes(log_.spell() + "\n")));
  if (known && *known != log_.spell() + "\n") {
    return Error{Code::kInvalidInput,
                 fmt::format("{} is the state of another log's witness", folder_.string())};
  }
  const Path accepted = folder_ / "accepted";
  AFTUNE_TRY(auto note, read_if_there(accepted));
  std::optional<Checkpoint> latest;
  if (note) {
    Result<Checkpoint> checkpoint = open_checkpoint(*note, log_).in(accepted.string());
    if (!checkpoint) return Error{Code::kCorrupt, checkpoint.error().what};
    latest = *checkpoint;
    accepted_ = Accepted{*std::move(checkpoint), *std::move(note)};
  }
  witness_.watch(log_, std::move(latest));
  return load_times();
}

Status LogWitness::load_times() {
  const WitnessKey own{name_, key_->public_key()};
  std::error_code error;
  for (std::filesystem::directory_iterator at(cosigned_folder(), error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().filename().string().find(".tmp-") != std::string::npos) continue;
    AFTUNE_TRY(const std::string text, read_text_file(at->path(), kMaxNoteBytes));
    AFTUNE_TRY(const SignedNote note, decode_note(text).in(at->path().string()));
    const auto times = cosigned_at(note, own);
    if (times.empty()) {
      return Error{Code::kInvalidInput, fmt::format("{} is not cosigned by {}: the folder is of "
                                                    "another witness",
                                                    at->path().string(), own.spell())};
    }
    last_time_ = std::max(last_time_, times.back());
  }
  if (error) {
    return Error{Code::kUnavailable,
                 fmt::format("list {}: {}", cosigned_folder().string(), error.message())};
  }
  return ok();
}

bool LogWitness::has_cosigned(const Checkpoint& checkpoint) const {
  std::error_code ignored;
  return std::filesystem::exists(cosigned_folder() / std::to_string(checkpoint.size), ignored);
}

Status LogWitness::cosign_note(const Checkpoint& checkpoint, const std::string& note,
                               std::uint64_t seconds) {
  // The state first: a cosignature that nobody remembers could be contradicted later.
  if (!accepted_ || accepted_->checkpoint != checkpoint) {
    AFTUNE_TRY(write_file(folder_ / "accepted", as_bytes(note)));
    witness_.accept(checkpoint);
    accepted_ = Accepted{checkpoint, note};
  }
  AFTUNE_TRY(SignedNote cosigned, decode_note(note));
  cosign(cosigned, *key_, name_, seconds);
  const Path first = cosigned_folder() / std::to_string(checkpoint.size);
  Path again = first;
  again += ".last";
  AFTUNE_TRY(const auto before, read_if_there(first));
  AFTUNE_TRY(write_file(before ? again : first, as_bytes(encode_note(cosigned))));
  last_time_ = seconds;
  return ok();
}

Status LogWitness::refuse(const LogReading& log, std::size_t index, std::string why, Look& look) {
  const std::string& newer = log.history_notes[index];
  const std::string id = crypto::sha256(as_bytes(newer)).hex().substr(0, 16);
  look.evidence = folder_ / "evidence" / id;
  AFTUNE_TRY(make_folders(look.evidence));
  AFTUNE_TRY(write_file(look.evidence / "older", as_bytes(accepted_->note)));
  AFTUNE_TRY(write_file(look.evidence / "newer", as_bytes(newer)));
  ByteBuffer leaves;
  for (const Digest& leaf : log.leaf_hashes) append(leaves, leaf.view());
  AFTUNE_TRY(write_file(look.evidence / "leaves", leaves));
  look.refused = std::move(why);
  return ok();
}

Result<LogWitness::Look> LogWitness::look(const LogReading& log, std::uint64_t seconds) {
  if (seconds < last_time_) {
    return Error{Code::kUnavailable, fmt::format("the clock stands at {}, the last cosignature is "
                                                 "of {}: nothing is cosigned",
                                                 seconds, last_time_)};
  }
  Look out;
  const std::size_t last = log.history.size() - 1;
  if (log.checkpoint.size < size()) {
    AFTUNE_TRY(refuse(log, last,
                      fmt::format("rollback: the log has {} entries, {} were cosigned",
                                  log.checkpoint.size, size()),
                      out));
    return out;
  }
  for (std::size_t i = 0; i <= last; ++i) {
    const Checkpoint& checkpoint = log.history[i];
    if (checkpoint.size < size()) continue;
    // One that was accepted and never cosigned, as the witness was killed in between, is due still.
    const bool is_done =
        accepted_ && checkpoint == accepted_->checkpoint && has_cosigned(checkpoint);
    if (i != last && is_done) continue;
    AddCheckpoint request{size(), {}, log.history_notes[i]};
    AFTUNE_TRY(request.proof,
               consistency_proof(std::span(log.leaf_hashes).first(checkpoint.size), size()));
    const WitnessDecision decision = witness_.consider(request);
    if (decision.answer != WitnessAnswer::kAccepted) {
      const char* kind = decision.answer == WitnessAnswer::kConflict ? "fork" : "rewrite";
      AFTUNE_TRY(refuse(log, i, fmt::format("{}: {}", kind, decision.reason), out));
      return out;
    }
    AFTUNE_TRY(cosign_note(decision.checkpoint, log.history_notes[i], seconds));
    out.cosigned.push_back(checkpoint.size);
  }
  return out;
}

}  // namespace aftune::tlog
