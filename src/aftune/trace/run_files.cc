// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/run_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace aftune::trace {
namespace {

constexpr std::size_t kMaxParts = 8;

/// First words of names, in the order in which the files are copied. The latest checkpoint is last
/// but for what only a closed run has.
constexpr std::array<std::string_view, 9> kOrder = {
    "contract.json", "base/",     "adapter/",         "data.jsonl",    "root-salt",
    "store/",        "log/tile/", "log/checkpoints/", "log/checkpoint"};

bool is_part(std::string_view text) {
  if (text.empty() || text.size() > 255 || text.front() == '.') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

/// The number of parts; 0 if one of them is none.
std::size_t parts_of(std::string_view name) {
  std::size_t count = 0;
  while (true) {
    const std::size_t slash = name.find('/');
    if (!is_part(name.substr(0, slash))) return 0;
    ++count;
    if (slash == std::string_view::npos) return count;
    name.remove_prefix(slash + 1);
  }
}

std::size_t rank_of(std::string_view name) {
  if (name.starts_with("model/")) return 5;  // with the objects: before the checkpoint over it
  for (std::size_t i = 0; i < kOrder.size(); ++i) {
    const bool folder = kOrder[i].back() == '/';
    if (folder ? name.starts_with(kOrder[i]) : name == kOrder[i]) return i;
  }
  return kOrder.size();
}

}  // namespace

bool is_copied_file(std::string_view name) {
  const std::size_t parts = parts_of(name);
  if (parts == 0 || parts > kMaxParts || rank_of(name) == kOrder.size()) return false;
  // What a killed writer left behind is no file yet.
  return name.find(".tmp-") == std::string_view::npos;
}

std::string name_in_run(const RunFolder& run, const Path& file) {
  return file.lexically_relative(run.root).generic_string();
}

Result<std::vector<RemoteFolder::File>> copied_files(const RunFolder& run, const Path& below) {
  std::vector<RemoteFolder::File> out;
  const Path folder = below.empty() ? run.root : run.root / below;
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return out;
  auto it = std::filesystem::recursive_directory_iterator(folder, error);
  for (; !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    std::error_code ignored;
    const std::string name = name_in_run(run, it->path());
    if (!it->is_regular_file(ignored) || !is_copied_file(name)) continue;
    AFTUNE_TRY(const std::uint64_t size, aftune::file_size(it->path()));
    out.push_back({name, size});
  }
  if (error) {
    return Error{Code::kUnavailable, fmt::format("list {}: {}", folder.string(), error.message())};
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::pair(rank_of(a.name), a.name) < std::pair(rank_of(b.name), b.name);
  });
  return out;
}

}  // namespace aftune::trace
