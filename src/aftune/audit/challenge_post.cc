// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/challenge_post.h"

#include <fmt/format.h>

#include <utility>

namespace aftune::audit {
namespace {

constexpr std::uint64_t kMaxLine = 128;
constexpr std::uint64_t kMaxTiming = std::uint64_t{2} << 20;

/// A file of one line, or nothing if it is not there.
Result<std::optional<std::string>> read_line(const Path& file) {
  Result<std::string> text = read_text_file(file, kMaxLine);
  if (!text && text.error().code == Code::kNotFound) return std::optional<std::string>();
  if (!text) return std::move(text).error();
  if (text->find('\n') + 1 != text->size()) {
    return Error{Code::kCorrupt, file.string() + " is not one line"};
  }
  text->pop_back();
  return std::optional(*std::move(text));
}

Result<std::optional<std::int64_t>> read_time(const Path& file) {
  AFTUNE_TRY(const auto line, read_line(file));
  if (!line) return std::optional<std::int64_t>();
  AFTUNE_TRY(const std::int64_t seconds, trace::parse_utc(*line).in(file.string()));
  return std::optional(seconds);
}

Status write_line(const Path& file, const std::string& line) {
  return write_file(file, as_bytes(line + "\n"));
}

}  // namespace

Path challenge_folder(const Path& state, const Digest& challenge) {
  return state / "challenges" / challenge.hex();
}

Result<ChallengePost> ChallengePost::take(const Path& state, const SignedChallenge& challenge,
                                          std::int64_t now) {
  ChallengePost out;
  out.folder_ = challenge_folder(state, challenge.digest);
  out.timing_ = {challenge.challenge.contract, challenge.digest, now, {}, 0, now};
  AFTUNE_TRY(make_folders(out.folder_));
  AFTUNE_TRY(const auto received, read_time(out.folder_ / "received"));
  if (received) {
    out.timing_.received = *received;
  } else {
    // Shown before it is timed: the clock must not run for something nobody can see.
    AFTUNE_TRY(write_file(out.folder_ / "challenge.json", as_bytes(challenge.envelope)));
    AFTUNE_TRY(write_line(out.folder_ / "received", trace::spell_utc(now)));
  }
  AFTUNE_TRY(const auto answered, read_time(out.folder_ / "manifest_received"));
  AFTUNE_TRY(const auto manifest, read_line(out.folder_ / "manifest_digest"));
  if (answered && manifest) {
    out.timing_.manifest_received = *answered;
    AFTUNE_TRY(out.timing_.manifest,
               parse_digest(*manifest).in((out.folder_ / "manifest_digest").string()));
  }
  return out;
}

Status ChallengePost::take_manifest(std::string_view envelope, const SignedManifest& manifest,
                                    std::int64_t now) {
  if (timing_.manifest == manifest.digest) return ok();
  if (timing_.manifest) {
    return Error{Code::kInvalidInput,
                 fmt::format("the challenge was answered by manifest {}, this one is {}: the first "
                             "one counts",
                             timing_.manifest->hex(), manifest.digest.hex())};
  }
  if (now < timing_.received) {
    return Error{Code::kUnavailable,
                 fmt::format("the clock stands at {}, the challenge came at {}: nothing is taken",
                             trace::spell_utc(now), trace::spell_utc(timing_.received))};
  }
  AFTUNE_TRY(write_file(folder_ / "manifest.json", as_bytes(envelope)));
  AFTUNE_TRY(write_line(folder_ / "manifest_digest", manifest.digest.hex()));
  AFTUNE_TRY(write_line(folder_ / "manifest_received", trace::spell_utc(now)));
  timing_.manifest = manifest.digest;
  timing_.manifest_received = now;
  return ok();
}

Result<std::string> ChallengePost::state_timing(const trace::Contract& contract,
                                                const crypto::PrivateKey& witness,
                                                const std::string& name, std::int64_t now) {
  timing_.stated = now;
  if (now < timing_.received || (timing_.manifest && now < timing_.manifest_received)) {
    return Error{Code::kUnavailable,
                 fmt::format("the clock stands at {}, the challenge came at {}: nothing is stated",
                             trace::spell_utc(now), trace::spell_utc(timing_.received))};
  }
  timing_.contract = contract.digest();
  std::string envelope = sign_timing(timing_, witness, name);
  AFTUNE_TRY(write_file(folder_ / "timing.json", as_bytes(envelope)));
  return envelope;
}

Result<std::vector<SignedTiming>> read_timings(const std::vector<Path>& places,
                                               const trace::Contract& contract,
                                               const Digest& challenge) {
  std::vector<SignedTiming> out;
  if (!contract.audit.witnesses.asks()) return out;
  for (const Path& place : places) {
    const Path file = challenge_folder(place, challenge) / "timing.json";
    const Result<std::string> text = read_text_file(file, kMaxTiming);
    std::error_code error;
    if (!text && !std::filesystem::exists(file, error)) continue;
    if (!text) return text.error();
    AFTUNE_TRY(SignedTiming timing, open_timing(*text, contract, challenge).in(file.string()));
    out.push_back(std::move(timing));
  }
  return out;
}

}  // namespace aftune::audit
