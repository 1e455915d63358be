// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/mirror.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace aftune::trace {
namespace {

constexpr const char* kContract = "contract.json";
constexpr const char* kCheckpoint = "log/checkpoint";
constexpr std::uint64_t kMaxLogFile = std::uint64_t{32} << 20;  // a full bundle has half of that
constexpr std::string_view kHistory = "log/checkpoints/";

/// The greatest size of a tree among names of the log's checkpoints; 0 if there is none.
std::uint64_t newest(const std::string& name, std::uint64_t known) {
  if (!name.starts_with(kHistory)) return known;
  std::uint64_t size = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kHistory.size(), end, size);
  return error == std::errc() && stop == end ? std::max(known, size) : known;
}

}  // namespace

Result<std::unique_ptr<Mirror>> Mirror::open(RemoteFolder& remote, const RunFolder& run,
                                             Existing existing, std::uint64_t limit_bytes) {
  std::unique_ptr<Mirror> out(new Mirror(remote, run, limit_bytes));
  AFTUNE_TRY(const auto files, remote.list());
  for (const RemoteFolder::File& file : files) out->there_.emplace(file.name, file.size);
  AFTUNE_TRY(out->check_place(existing));
  AFTUNE_TRY(out->check_age());
  return out;
}

Status Mirror::check_place(Existing existing) {
  const auto refused = [&](std::string_view why) {
    return Error{Code::kInvalidInput, fmt::format("{} {}", remote_.description(), why)};
  };
  const auto found = there_.find(kContract);
  if (found == there_.end()) {
    if (std::none_of(there_.begin(), there_.end(),
                     [](const auto& file) { return is_copied_file(file.first); })) {
      return ok();
    }
    return refused("holds a run without a contract: use another prefix");
  }
  AFTUNE_TRY(const std::uint64_t size, aftune::file_size(run_.contract()));
  if (found->second == size) {
    AFTUNE_TRY(const ByteBuffer theirs, remote_.read_head(kContract, size));
    AFTUNE_TRY(const ByteBuffer ours, read_file(run_.contract(), size));
    if (theirs == ours) {
      if (existing == Existing::kResume) return ok();
      return refused(
          "holds this contract's run already: go on with --resume, or use another "
          "prefix");
    }
  }
  return refused("holds the run of another contract: use another prefix");
}

Status Mirror::check_age() {
  std::uint64_t theirs = 0, ours = 0;
  for (const auto& [name, size] : there_) theirs = newest(name, theirs);
  AFTUNE_TRY(const auto files, copied_files(run_, "log"));
  for (const RemoteFolder::File& file : files) ours = newest(file.name, ours);
  if (theirs <= ours) return ok();
  return Error{Code::kInvalidInput,
               fmt::format("{} has a checkpoint over {} entries, {} over {}: get the newer one "
                           "with store fetch",
                           remote_.description(), theirs, run_.root.string(), ours)};
}

bool Mirror::take(const RemoteFolder::File& file) {
  const auto found = there_.find(file.name);
  if (file.name != kCheckpoint && found != there_.end() && found->second == file.size) return false;
  there_[file.name] = file.size;
  return true;
}

Status Mirror::put(const std::string& name, Bytes content) {
  const auto keep =
      name == kCheckpoint ? RemoteFolder::Keep::kReplaceable : RemoteFolder::Keep::kAsAgreed;
  AFTUNE_TRY(remote_.put(name, content, keep)
                 .in(fmt::format("copy {} to {}", name, remote_.description())));
  ++files_done_;
  bytes_done_ += content.size();
  return ok();
}

Status Mirror::post(const RemoteFolder::File& file, std::function<Status()> job) {
  const auto posted = worker_.post(file.size, std::move(job));
  return posted ? ok() : Status(posted.error());
}

Status Mirror::add_named(const RemoteFolder::File& file) {
  if (!take(file)) return ok();
  return post(file, [this, name = file.name]() -> Status {
    AFTUNE_TRY(const MappedFile content, MappedFile::open(run_.root / name));
    return put(name, content.bytes());
  });
}

/// A file of the log as it is now: the writer replaces the checkpoint and removes partial tiles.
Status Mirror::add_content(const RemoteFolder::File& file) {
  if (!take(file)) return ok();
  AFTUNE_TRY(ByteBuffer content, read_file(run_.root / file.name, kMaxLogFile));
  return post(
      file, [this, name = file.name, content = std::move(content)] { return put(name, content); });
}

Status Mirror::add(const Path& file) {
  AFTUNE_TRY(const std::uint64_t size, aftune::file_size(file));
  return add_named({name_in_run(run_, file), size});
}

Status Mirror::add_missing() {
  AFTUNE_TRY(const auto files, copied_files(run_));
  for (const RemoteFolder::File& file : files) {
    if (!file.name.starts_with("log/")) AFTUNE_TRY(add_named(file));
  }
  return add_log();
}

Status Mirror::add_log() {
  AFTUNE_TRY(const auto files, copied_files(run_, "log"));
  for (const RemoteFolder::File& file : files) AFTUNE_TRY(add_content(file));
  return ok();
}

Status Mirror::add_delivered() {
  AFTUNE_TRY(const auto files, copied_files(run_, "model"));
  for (const RemoteFolder::File& file : files) AFTUNE_TRY(add_named(file));
  return ok();
}

Status Mirror::drain() { return worker_.drain(); }

}  // namespace aftune::trace
