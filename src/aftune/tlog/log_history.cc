// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/log_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "aftune/tlog/decimal.h"

namespace aftune::tlog {
namespace {

constexpr std::uint64_t kMaxNoteBytes = std::uint64_t{1} << 20;

Result<StoredCheckpoint> read_checkpoint(const Path& path, const VerifierKey& key) {
  AFTUNE_TRY(std::string note, read_text_file(path, kMaxNoteBytes));
  AFTUNE_TRY(Checkpoint checkpoint, open_checkpoint(note, key).in(path.string()));
  return StoredCheckpoint{std::move(checkpoint), std::move(note)};
}

/// The names of `checkpoints/`, without what a killed writer left.
Result<std::vector<std::string>> list_history(const Path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator at(folder / kHistoryFolder, error);
  if (error == std::errc::no_such_file_or_directory) return names;
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    std::string name = at->path().filename().string();
    if (name.find(".tmp-") == std::string::npos) names.push_back(std::move(name));
  }
  if (error) {
    return Error{Code::kUnavailable,
                 fmt::format("list {}: {}", (folder / kHistoryFolder).string(), error.message())};
  }
  return names;
}

}  // namespace

Result<std::vector<StoredCheckpoint>> read_history(const Path& folder, const VerifierKey& key) {
  std::map<std::uint64_t, StoredCheckpoint> by_size;
  AFTUNE_TRY(const auto names, list_history(folder));
  for (const std::string& name : names) {
    const Path path = folder / kHistoryFolder / name;
    AFTUNE_TRY(const std::uint64_t size, parse_decimal(name).in(path.string()));
    AFTUNE_TRY(StoredCheckpoint stored, read_checkpoint(path, key));
    if (stored.checkpoint.size != size) {
      return Error{Code::kCorrupt,
                   fmt::format("{}: checkpoint of size {}", path.string(), stored.checkpoint.size)};
    }
    by_size.emplace(size, std::move(stored));
  }
  const Path path = folder / kCheckpointFile;
  auto current = read_checkpoint(path, key);
  if (current) {
    const auto [at, is_new] = by_size.emplace(current->checkpoint.size, *current);
    if (!is_new && at->second.checkpoint != current->checkpoint) {
      return Error{Code::kCorrupt, fmt::format("{}: root {}, {}/{} has {}", path.string(),
                                               current->checkpoint.root.hex(), kHistoryFolder,
                                               at->first, at->second.checkpoint.root.hex())};
    }
    at->second.note = std::move(current->note);
  } else if (current.error().code != Code::kNotFound) {
    return std::move(current).error();
  }
  std::vector<StoredCheckpoint> out;
  out.reserve(by_size.size());
  for (auto& [size, stored] : by_size) out.push_back(std::move(stored));
  return out;
}

}  // namespace aftune::tlog
