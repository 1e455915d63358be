// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/answer_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "aftune/trace/store.h"

namespace aftune::audit {
namespace {

constexpr std::size_t kShown = 4;  // absent things that are named one by one

/// Witnesses that no party is, each by its own word past the deadline.
std::size_t count_late(const AuditRequest& request) {
  const std::int64_t allowed =
      static_cast<std::int64_t>(request.contract.audit.deadline_hours) * 3600;
  std::set<crypto::PublicKey> late;
  for (const SignedTiming& signed_timing : request.timings) {
    const Timing& timing = signed_timing.timing;
    if (signed_timing.witness.key == request.contract.client.key) continue;
    const std::int64_t waited =
        (timing.manifest ? timing.manifest_received : timing.stated) - timing.received;
    if (waited > allowed) late.insert(signed_timing.witness.key);
  }
  return late.size();
}

bool check_deadline(const AuditRequest& request, Judge& judge) {
  const std::uint64_t quorum = request.contract.audit.witnesses.quorum;
  const std::size_t late = count_late(request);
  if (quorum == 0 || late < quorum) return true;
  judge.reject(Check::kDeadline, "answer",
               fmt::format("{} of {} witnesses had the challenge for over {} hours before a "
                           "manifest came, if one came at all",
                           late, request.contract.audit.witnesses.keys.size(),
                           request.contract.audit.deadline_hours));
  return false;
}

/// What the challenge needs and the manifest does not list: the provider does not even claim it.
void check_listed(const AuditRequest& request, const std::vector<std::string>& entries,
                  Judge& judge) {
  const Manifest& manifest = request.manifest->manifest;
  const auto lists = list_digests(request.contract, entries);
  if (!lists) return;  // the check of the entries says so
  for (std::size_t i = 0; i < lists->size(); ++i) {
    if (manifest.lists((*lists)[i])) continue;
    judge.reject(Check::kMissing, "manifest",
                 fmt::format("the list of entry {} is not in the manifest", i + 1),
                 (*lists)[i].hex());
  }
  for (const std::string& path : needed_files(request.contract)) {
    const auto same = [&path](const trace::BoundFile& file) { return file.path == path; };
    if (std::any_of(manifest.files.begin(), manifest.files.end(), same)) continue;
    judge.reject(Check::kMissing, "manifest", fmt::format("{} is not in the manifest", path));
  }
}

/// What the manifest lists and is not there.
std::vector<std::string> not_arrived(const AuditRequest& request) {
  const Manifest& manifest = request.manifest->manifest;
  std::vector<std::string> out;
  const auto store = trace::Store::open(request.run, trace::Store::Open::kExisting);
  for (const Digest& object : manifest.objects) {
    if (!store || !store->has(object)) out.push_back("object " + object.hex());
  }
  for (const std::string& path : needed_files(request.contract)) {
    std::error_code error;
    if (!std::filesystem::exists(request.run.root / path, error)) out.push_back(path);
  }
  return out;
}

}  // namespace

void check_answer(const AuditRequest& request, const std::vector<std::string>& entries, bool is_due,
                  Judge& judge) {
  const bool in_time = !is_due || check_deadline(request, judge);
  if (!request.manifest) {
    judge.excuse_absence();
    if (in_time) {
      judge.leave_open(
          "no manifest answers the challenge, and no quorum of witnesses says that it is overdue");
    }
    return;
  }
  check_listed(request, entries, judge);
  const std::vector<std::string> absent = not_arrived(request);
  if (absent.empty()) return;
  judge.excuse_absence();
  std::string names;
  for (std::size_t i = 0; i < std::min(absent.size(), kShown); ++i) names += ", " + absent[i];
  judge.leave_open(fmt::format("{} of what the manifest lists did not arrive, ask for it again{}",
                               absent.size(), names));
}

WitnessLimits limits_of(const std::vector<SignedTiming>& timings) {
  WitnessLimits out;
  for (const SignedTiming& timing : timings) {
    const auto received =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, timing.timing.received));
    const auto [at, is_new] = out.emplace(timing.witness.spell(), received);
    at->second = std::min(at->second, received);
  }
  return out;
}

}  // namespace aftune::audit
