// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/run_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/trace/contract.h"

namespace aftune::trace {
namespace {

constexpr std::uint64_t kMaxCheckpoint = std::uint64_t{1} << 20;
constexpr const char* kCheckpoint = "log/checkpoint";

/// What somebody else's server refuses is no evidence against anybody.
Error as_trouble(Error error) {
  if (error.code != Code::kNotFound) error.code = Code::kUnavailable;
  return error;
}

/// Nothing of another run, and no trainer's own folder, is mixed with what is fetched.
Status check_folder(RemoteFolder& remote, const RunFolder& run) {
  std::error_code error;
  if (std::filesystem::exists(run.lock(), error)) {
    return Error{
        Code::kInvalidInput,
        fmt::format("{} is a trainer's run folder: fetch into another", run.root.string())};
  }
  if (!std::filesystem::exists(run.contract(), error)) return ok();
  AFTUNE_TRY(const ByteBuffer ours, read_file(run.contract(), 2 * kMaxContractBytes));
  const auto theirs = remote.read_head("contract.json", ours.size() + 1);
  if (!theirs && theirs.error().code != Code::kNotFound) return theirs.error();
  if (theirs && *theirs == ours) return ok();
  return Error{
      Code::kInvalidInput,
      fmt::format("{} holds the run of another contract than {}: fetch into another folder",
                  run.root.string(), remote.description())};
}

/// The smallest share that a file belongs to.
RunSource::Share share_of(const std::string& name) {
  using Share = RunSource::Share;
  if (name == "contract.json" || name.starts_with("log/")) return Share::kLog;
  if (name.starts_with("store/")) return Share::kAll;
  return name.starts_with("model/") ? Share::kDelivered : Share::kInputs;
}

Status fetch_from(RemoteFolder& remote, const std::string& name, std::uint64_t limit,
                  const Path& target) {
  AFTUNE_TRY(make_folders(target.parent_path()));
  const Status done = remote.fetch(name, limit, target);
  if (done) return ok();
  return as_trouble(done.error()).in("fetch " + name);
}

}  // namespace

Result<std::unique_ptr<RunSource>> RunSource::open(RemoteFolder& remote, const RunFolder& run) {
  AFTUNE_TRY(check_folder(remote, run));
  std::unique_ptr<RunSource> out(new RunSource(remote, run));
  // The checkpoint first: all that it covers is on a list that is made later.
  AFTUNE_TRY(make_folders(run.log()));
  const Status latest = remote.fetch(kCheckpoint, kMaxCheckpoint, run.root / kCheckpoint);
  if (!latest && latest.error().code != Code::kNotFound) return latest.error();
  AFTUNE_TRY(const auto files, remote.list());
  for (const RemoteFolder::File& file : files) {
    if (is_copied_file(file.name)) out->files_.emplace(file.name, file.size);
  }
  if (out->files_.empty()) {
    return Error{Code::kNotFound, fmt::format("{} holds no run", remote.description())};
  }
  AFTUNE_TRY(make_folders(run.store()));
  return out;
}

Status RunSource::fetch_share(Share share) {
  for (const auto& [name, size] : files_) {
    if (name != kCheckpoint && share_of(name) <= share) AFTUNE_TRY(fetch(name));
  }
  return ok();
}

std::optional<std::uint64_t> RunSource::size_of(const std::string& name) const {
  const auto found = files_.find(name);
  if (found == files_.end()) return std::nullopt;
  return found->second;
}

std::vector<RemoteFolder::File> RunSource::objects() const {
  std::vector<RemoteFolder::File> out;
  for (auto at = files_.lower_bound("store/"); at != files_.end(); ++at) {
    if (!at->first.starts_with("store/")) break;
    out.push_back({at->first, at->second});
  }
  return out;
}

bool RunSource::has_copy(const std::string& name, std::uint64_t size) const {
  const auto found = aftune::file_size(run_.root / name);
  return found && *found == size;
}

Error RunSource::absent(const std::string& name) const {
  return {Code::kNotFound, fmt::format("{} has no {}", remote_.description(), name)};
}

Status RunSource::fetch(const std::string& name) {
  const auto size = size_of(name);
  if (!size) return absent(name);
  const std::lock_guard hold(mutex_);
  // The log is small, and a tile of another log may have the same size.
  if (!name.starts_with("log/") && has_copy(name, *size)) return ok();
  AFTUNE_TRY(fetch_from(remote_, name, *size, run_.root / name));
  if (!has_copy(name, *size)) {
    return Error{Code::kUnavailable,
                 fmt::format("{} has not the {} bytes of the list", name, *size)};
  }
  ++fetched_files_;
  fetched_bytes_ += *size;
  return ok();
}

Result<ByteBuffer> RunSource::read_head(const std::string& name, std::size_t count) {
  const auto size = size_of(name);
  if (!size) return absent(name);
  const std::lock_guard hold(mutex_);
  const auto known = heads_.find(name);
  if (known != heads_.end() && known->second.size() == std::min<std::uint64_t>(count, *size)) {
    return known->second;
  }
  Result<ByteBuffer> head = remote_.read_head(name, count);
  if (!head) return as_trouble(std::move(head).error()).in("fetch " + name);
  heads_[name] = *head;
  return head;
}

bool RunSource::drop(const std::string& name) {
  const std::lock_guard hold(mutex_);
  heads_.erase(name);
  if (!files_.contains(name) || !dropped_.insert(name).second) return false;
  std::error_code ignored;
  std::filesystem::remove(run_.root / name, ignored);
  return true;
}

}  // namespace aftune::trace
