// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/witness_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "aftune/tlog/merkle.h"
#include "aftune/trace/timeline.h"

namespace aftune::audit {
namespace {

constexpr std::uint64_t kMaxNoteBytes = std::uint64_t{1} << 20;
constexpr std::size_t kMaxNotes = std::size_t{1} << 20;
constexpr std::uint64_t kClockTolerance = 300;  // seconds by which two machines' clocks may differ

std::string utc(std::uint64_t seconds) {
  return trace::spell_utc(static_cast<std::int64_t>(seconds));
}

/// The regular files of a folder, ascending, without what a killed writer left.
Result<std::vector<Path>> files_in(const Path& folder) {
  std::vector<Path> out;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (!at->is_regular_file(error) ||
        at->path().filename().string().find(".tmp-") != std::string::npos) {
      continue;
    }
    if (out.size() == kMaxNotes) {
      return Error{Code::kInvalidInput,
                   fmt::format("{} has over {} files", folder.string(), kMaxNotes)};
    }
    out.push_back(at->path());
  }
  if (error) {
    return Error{Code::kUnavailable, fmt::format("list {}: {}", folder.string(), error.message())};
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// Both notes of each refusal.
Result<std::vector<Path>> evidence_in(const Path& folder) {
  std::vector<Path> out;
  std::error_code error, ignored;
  std::filesystem::directory_iterator at(folder, error);
  if (error == std::errc::no_such_file_or_directory) return out;
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    for (const char* name : {"older", "newer"}) {
      const Path note = at->path() / name;
      const auto type = std::filesystem::status(note, ignored).type();
      if (type != std::filesystem::file_type::not_found) out.push_back(note);
    }
  }
  if (error) {
    return Error{Code::kUnavailable, fmt::format("list {}: {}", folder.string(), error.message())};
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::vector<Path>> note_files(const Path& place) {
  std::error_code error;
  if (!std::filesystem::exists(place, error)) {
    return Error{Code::kNotFound,
                 fmt::format("witness {}: no such file or folder", place.string())};
  }
  if (!std::filesystem::is_directory(place, error)) return std::vector<Path>{place};
  const Path cosigned = place / "cosigned";
  if (!std::filesystem::is_directory(cosigned, error)) return files_in(place);
  AFTUNE_TRY(std::vector<Path> out, files_in(cosigned));
  AFTUNE_TRY(const std::vector<Path> evidence, evidence_in(place / "evidence"));
  out.insert(out.end(), evidence.begin(), evidence.end());
  return out;
}

std::string described(const tlog::Checkpoint& checkpoint) {
  return fmt::format("{} entries with root {}", checkpoint.size, checkpoint.root.hex());
}

/// Rejects where the provider signed something else than it shows. Returns whether all is one log.
bool check_one_log(const std::vector<KeptCheckpoint>& kept, const tlog::LogReading& log,
                   const RunFacts& facts, Verdict& verdict, Judge& judge) {
  std::vector<const KeptCheckpoint*> ascending;
  ascending.reserve(kept.size());
  for (const KeptCheckpoint& one : kept) ascending.push_back(&one);
  std::stable_sort(ascending.begin(), ascending.end(), [](const auto* a, const auto* b) {
    return a->checkpoint.size < b->checkpoint.size;
  });
  const auto reject = [&](const KeptCheckpoint& one, const std::string& message, Digest shown) {
    verdict.other_checkpoint_note = tlog::encode_note(one.note);
    judge.reject(Check::kLog, "split view", message, one.checkpoint.root.hex(), shown.hex());
    return false;
  };
  tlog::GrowingTree tree;
  bool is_older = false;
  for (const KeptCheckpoint* one : ascending) {
    const tlog::Checkpoint& signed_once = one->checkpoint;
    if (signed_once.size > log.checkpoint.size) {
      if (facts.abort || facts.closed) {
        return reject(
            *one,
            fmt::format("the provider signed {}; the log that it shows {} after {} "
                        "entries",
                        described(signed_once), facts.abort ? "ends by an abort" : "is closed",
                        log.checkpoint.size),
            log.checkpoint.root);
      }
      if (!std::exchange(is_older, true)) {
        judge.leave_open(
            fmt::format("the provider signed {}, the log that is shown has {}: it may "
                        "be an old copy",
                        described(signed_once), log.checkpoint.size));
      }
      continue;
    }
    while (tree.size() < signed_once.size) tree.append(log.leaf_hashes[tree.size()]);
    if (tree.root() != signed_once.root) {
      return reject(*one,
                    fmt::format("the provider signed {}; the log that it shows now has root {} at "
                                "that size",
                                described(signed_once), tree.root().hex()),
                    tree.root());
    }
  }
  return true;
}

/// The sizes at which the order of entries implies a checkpoint.
std::vector<std::uint64_t> required_sizes(const trace::Contract& contract, std::uint64_t entries) {
  const trace::Timeline timeline(contract);
  std::vector<std::uint64_t> out;
  for (std::uint64_t j = 0; j <= timeline.step_blocks(); ++j) {
    const std::uint64_t size = timeline.position_of_state(timeline.layer_blocks() - 1, j) + 1;
    if (size < entries) out.push_back(size);
  }
  out.push_back(entries);
  return out;
}

struct Sighting {
  std::uint64_t first, last;
};

std::map<std::uint64_t, Sighting> sightings_of(const tlog::WitnessKey& witness,
                                               const std::vector<KeptCheckpoint>& kept) {
  std::map<std::uint64_t, Sighting> out;
  for (const KeptCheckpoint& one : kept) {
    for (const std::uint64_t time : tlog::cosigned_at(one.note, witness)) {
      const auto [at, is_new] = out.emplace(one.checkpoint.size, Sighting{time, time});
      at->second.first = std::min(at->second.first, time);
      at->second.last = std::max(at->second.last, time);
    }
  }
  return out;
}

/// Why the times do not attest the log; empty if they do. Requires: no size is missing.
std::string complaint_about(const std::vector<std::uint64_t>& sizes,
                            const std::map<std::uint64_t, Sighting>& seen,
                            std::uint64_t max_delay) {
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    const Sighting& before = seen.at(sizes[i - 1]);
    const Sighting& after = seen.at(sizes[i]);
    if (before.last > after.first) {
      return fmt::format("cosigned {} entries at {} and, before that, {} entries at {}",
                         sizes[i - 1], utc(before.last), sizes[i], utc(after.first));
    }
    if (after.first - before.last > max_delay) {
      return fmt::format("cosigned {} entries {} s after {} entries, the contract allows {} s",
                         sizes[i], after.first - before.last, sizes[i - 1], max_delay);
    }
  }
  return {};
}

struct EndLimits {
  std::uint64_t closes_by = 0, now = 0;
  std::optional<std::uint64_t> challenge;
};

std::string complaint_about_end(std::uint64_t end, const EndLimits& limits) {
  if (end > limits.closes_by) {
    return fmt::format("cosigned the end of the log at {}, it was due by {}", utc(end),
                       utc(limits.closes_by));
  }
  if (end > limits.now + kClockTolerance) {
    return fmt::format("cosigned the end of the log at {}, which is after this audit", utc(end));
  }
  if (limits.challenge && end > *limits.challenge) {
    return fmt::format(
        "cosigned the end of the log at {}, after it had received the challenge at "
        "{}",
        utc(end), utc(*limits.challenge));
  }
  return {};
}

WitnessReport report_on(const tlog::WitnessKey& witness, const std::vector<std::uint64_t>& sizes,
                        const std::vector<KeptCheckpoint>& kept, std::uint64_t max_delay,
                        const EndLimits& limits) {
  WitnessReport out{witness.name, false, ""};
  const auto seen = sightings_of(witness, kept);
  const auto missing = std::count_if(sizes.begin(), sizes.end(),
                                     [&](std::uint64_t size) { return !seen.contains(size); });
  if (missing > 0) {
    out.message =
        fmt::format("{} of {} checkpoints without its cosignature", missing, sizes.size());
    return out;
  }
  out.message = complaint_about(sizes, seen, max_delay);
  const std::uint64_t end = seen.at(sizes.back()).first;
  if (out.message.empty()) out.message = complaint_about_end(end, limits);
  if (!out.message.empty()) return out;
  out.attests = true;
  out.message = fmt::format("{} checkpoints, the last at {}", sizes.size(), utc(end));
  return out;
}

}  // namespace

Result<std::vector<KeptCheckpoint>> read_kept_checkpoints(const std::vector<Path>& places,
                                                          const std::vector<std::string>& notes,
                                                          const tlog::VerifierKey& log) {
  std::vector<KeptCheckpoint> out;
  const auto add = [&](const Path& file, std::string_view text) -> Status {
    AFTUNE_TRY(tlog::Checkpoint checkpoint, tlog::open_checkpoint(text, log).in(file.string()));
    AFTUNE_TRY(tlog::SignedNote note, tlog::decode_note(text).in(file.string()));
    out.push_back({file, std::move(checkpoint), std::move(note)});
    return ok();
  };
  for (const Path& place : places) {
    AFTUNE_TRY(const std::vector<Path> files, note_files(place));
    for (const Path& file : files) {
      AFTUNE_TRY(const std::string text, read_text_file(file, kMaxNoteBytes));
      AFTUNE_TRY(add(file, text));
    }
  }
  for (const std::string& note : notes) AFTUNE_TRY(add("note", note));
  return out;
}

void check_witnesses(const trace::Contract& contract, const std::vector<KeptCheckpoint>& kept,
                     const tlog::LogReading& log, const RunFacts& facts, std::int64_t now,
                     const WitnessLimits& limits, Verdict& verdict, Judge& judge) {
  const bool one_log = check_one_log(kept, log, facts, verdict, judge);
  const trace::WitnessPolicy& policy = contract.audit.witnesses;
  if (!policy.asks() || !one_log || !(facts.closed || facts.abort)) return;
  const auto sizes = required_sizes(contract, log.checkpoint.size);
  const auto closes_by = trace::parse_utc(contract.closes_by);
  std::uint64_t attesting = 0;
  std::string others;
  for (const tlog::WitnessKey& witness : policy.keys) {
    EndLimits end{static_cast<std::uint64_t>(closes_by ? std::max<std::int64_t>(*closes_by, 0) : 0),
                  static_cast<std::uint64_t>(now), std::nullopt};
    if (const auto limit = limits.find(witness.spell()); limit != limits.end()) {
      end.challenge = limit->second;
    }
    verdict.witnesses.push_back(report_on(witness, sizes, kept, policy.max_delay_seconds, end));
    const WitnessReport& report = verdict.witnesses.back();
    attesting += report.attests;
    if (!report.attests) others += fmt::format("; {}: {}", report.name, report.message);
  }
  if (attesting >= policy.quorum) return;
  judge.leave_open(fmt::format("{} of {} witnesses attest the log, the contract asks for {}{}",
                               attesting, policy.keys.size(), policy.quorum, others));
}

}  // namespace aftune::audit
