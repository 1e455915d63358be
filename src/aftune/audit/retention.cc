// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/retention.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/audit/manifest.h"
#include "aftune/trace/entry.h"
#include "aftune/trace/inventory.h"

namespace aftune::audit {
namespace {

constexpr std::uint64_t kMaxChallengeFile = std::uint64_t{32} << 20;

/// A file of a write that did not end, or beside the file that is the object.
bool is_left_over(const Path& file) {
  const std::string name = file.filename().string();
  if (name.find(".tmp-") != std::string::npos) return true;
  const std::size_t dot = name.find('.');
  const auto is_name = [&](trace::Encoding encoding) {
    return name.substr(dot + 1) == trace::encoding_name(encoding);
  };
  return dot == 64 && parse_digest(name.substr(0, dot)) &&
         std::any_of(trace::kEncodings.begin(), trace::kEncodings.end(), is_name);
}

bool has_ended(const trace::Contract& contract, const std::vector<std::string>& entries) {
  return !entries.empty() && (entries.size() == trace::Timeline(contract).entry_count() ||
                              trace::is_abort(entries.back()));
}

/// What must stay although the window is over.
Result<std::set<Digest>> challenged(const RetentionRequest& request,
                                    const trace::Openings& openings) {
  std::set<Digest> out;
  for (const SignedChallenge& challenge : request.challenges) {
    AFTUNE_TRY(const std::set<Digest> held,
               tensors_held(request.contract, openings, challenge.challenge.blocks));
    out.insert(held.begin(), held.end());
  }
  return out;
}

std::string name_of(const trace::Inventory& inventory, const Digest& digest) {
  const auto needed = inventory.needed.find(digest);
  if (needed != inventory.needed.end()) return std::string(component_name(needed->second));
  const auto unstored = inventory.unstored.find(digest);
  if (unstored == inventory.unstored.end()) return "named by no entry";
  return std::string(component_name(unstored->second.component)) + ", made ahead";
}

Status add_left_overs(const trace::Store& store, RetentionPlan& plan) {
  AFTUNE_TRY(const auto strangers, store.strangers());
  for (const Path& file : strangers) {
    if (!is_left_over(file)) continue;
    AFTUNE_TRY(const std::uint64_t size, aftune::file_size(file));
    plan.removals.push_back({file, size, "left over"});
  }
  return ok();
}

/// States and edges that nobody can ask for.
Status add_evidence(const RetentionRequest& request, const trace::Store& store,
                    RetentionPlan& plan) {
  AFTUNE_TRY(const trace::Inventory inventory,
             trace::take_inventory(request.contract, request.entries, request.run));
  if (!inventory.unreadable.empty()) {
    return Error{Code::kCorrupt, "nothing is removed beside damage: " + inventory.unreadable[0]};
  }
  AFTUNE_TRY(const trace::Openings openings,
             trace::Openings::open(request.run, request.contract, request.entries));
  AFTUNE_TRY(const std::set<Digest> kept, challenged(request, openings));
  AFTUNE_TRY(const auto objects, store.objects());
  std::vector<std::pair<std::size_t, Removal>> removals;  // by the bases that each needs
  for (const trace::Store::Object& object : objects) {
    const auto needed = inventory.needed.find(object.digest);
    const bool list =
        needed != inventory.needed.end() && needed->second == trace::Component::kLists;
    const bool asked = kept.contains(object.digest);
    plan.kept_objects += list || asked ? 1 : 0;
    plan.kept_for_challenges += asked ? 1 : 0;
    if (list || asked) continue;
    removals.push_back(
        {store.bases_of(object.digest).size(),
         {store.path_of(object.digest), object.size, name_of(inventory, object.digest)}});
  }
  // What stops in the middle must not leave a delta without its base.
  std::stable_sort(removals.begin(), removals.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (auto& [bases, removal] : removals) plan.removals.push_back(std::move(removal));
  return ok();
}

}  // namespace

std::int64_t window_end(const trace::Contract& contract) {
  // A contract that was parsed has a time that can be read.
  const auto closes = trace::parse_utc(contract.closes_by);
  return (closes ? *closes : 0) + static_cast<std::int64_t>(contract.audit.deadline_hours) * 3600;
}

Path open_challenge_file(const trace::RunFolder& run, const Digest& challenge) {
  return run.challenges() / (challenge.hex() + ".json");
}

Result<std::vector<SignedChallenge>> open_challenges(const trace::RunFolder& run,
                                                     const trace::Contract& contract) {
  std::vector<SignedChallenge> out;
  std::error_code error;
  if (!std::filesystem::exists(run.challenges(), error)) return out;
  std::vector<Path> files;
  auto it = std::filesystem::directory_iterator(run.challenges(), error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    files.push_back(it->path());
  }
  if (error) {
    return Error{Code::kUnavailable,
                 fmt::format("list {}: {}", run.challenges().string(), error.message())};
  }
  std::sort(files.begin(), files.end());
  for (const Path& file : files) {
    AFTUNE_TRY(const std::string envelope, read_text_file(file, kMaxChallengeFile));
    AFTUNE_TRY(SignedChallenge challenge, open_challenge(envelope, contract).in(file.string()));
    out.push_back(std::move(challenge));
  }
  return out;
}

Result<RetentionPlan> plan_retention(const RetentionRequest& request) {
  AFTUNE_TRY(const trace::Store store,
             trace::Store::open(request.run.store(), trace::Store::Open::kExisting));
  RetentionPlan plan;
  plan.window_open = request.now <= window_end(request.contract);
  AFTUNE_TRY(add_left_overs(store, plan));
  if (!plan.window_open && has_ended(request.contract, request.entries)) {
    AFTUNE_TRY(add_evidence(request, store, plan));
  } else {
    AFTUNE_TRY(const auto objects, store.objects());
    plan.kept_objects = objects.size();
  }
  for (const Removal& removal : plan.removals) plan.removed_bytes += removal.bytes;
  return plan;
}

Status carry_out(const RetentionPlan& plan) {
  for (const Removal& removal : plan.removals) {
    std::error_code error;
    std::filesystem::remove(removal.file, error);
    if (error) {
      return Error{Code::kUnavailable,
                   fmt::format("remove {}: {}", removal.file.string(), error.message())};
    }
  }
  return ok();
}

}  // namespace aftune::audit
