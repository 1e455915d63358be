// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/store.h"

#include <fmt/format.h>

#include <algorithm>

#include "aftune/crypto/blake3.h"

namespace aftune::trace {
namespace {

constexpr std::string_view kRaw = ".raw";

}  // namespace

Result<Store> Store::open(const Path& folder, Open mode, ThreadPool* pool) {
  if (mode == Open::kCreate) {
    AFTUNE_TRY(make_folders(folder));
    AFTUNE_TRY(sync_folder(folder));  // folders that a killed process made
  }
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return Error{Code::kNotFound, fmt::format("store {} is not a folder", folder.string())};
  }
  return Store(folder, pool);
}

Store::~Store() {
  for (const auto& [digest, file] : unsettled_) {
    std::error_code ignored;
    std::filesystem::remove(file.staged, ignored);
  }
}

Path Store::path_of(const Digest& digest) const {
  const std::string hex = digest.hex();
  return folder_ / hex.substr(0, 2) / (hex + std::string(kRaw));
}

bool Store::has(const Digest& digest) const {
  std::error_code error;
  return std::filesystem::is_regular_file(path_of(digest), error);
}

Status Store::put(const Digest& digest, Bytes data) {
  const Path target = path_of(digest);
  const auto size_there = aftune::file_size(target);
  if (size_there && *size_there == data.size()) {
    unsynced_.insert(target.parent_path());  // a killed process may have left its name unsynced
    return ok();
  }
  if (unsettled_.contains(digest)) return ok();
  AFTUNE_TRY(make_folders(target.parent_path()));
  AFTUNE_TRY(StagedFile file, StagedFile::create(target));
  AFTUNE_TRY(file.append(data));
  unsettled_.emplace(digest, std::move(file).leave_unsettled());
  return ok();
}

Status Store::sync() {
  for (const auto& [digest, file] : unsettled_) {
    AFTUNE_TRY(settle_file(file));
    unsynced_.insert(file.target.parent_path());
  }
  unsettled_.clear();
  for (const Path& folder : unsynced_) {
    AFTUNE_TRY(sync_folder(folder));
  }
  unsynced_.clear();
  return ok();
}

Digest Store::digest_of(Bytes data) const {
  return pool_ != nullptr ? crypto::blake3(data, *pool_) : crypto::blake3(data);
}

Result<ByteBuffer> Store::get(const Digest& digest, std::uint64_t limit_bytes) const {
  AFTUNE_TRY(ByteBuffer data, read_file(path_of(digest), limit_bytes).in("object " + digest.hex()));
  const Digest found = digest_of(data);
  if (found != digest) {
    return Error{Code::kCorrupt, fmt::format("object {} has {} bytes of digest {}", digest.hex(),
                                             data.size(), found.hex())};
  }
  return data;
}

Status Store::walk(const std::function<void(const Path&, const Digest*)>& visit) const {
  std::error_code error;
  auto it = std::filesystem::recursive_directory_iterator(folder_, error);
  for (; !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    if (it->is_directory(error)) continue;
    const std::string name = it->path().filename().string();
    const Result<Digest> digest = name.size() == 64 + kRaw.size() && name.ends_with(kRaw)
                                      ? parse_digest(std::string_view(name).substr(0, 64))
                                      : Result<Digest>(Error{Code::kInvalidInput, "not an object"});
    const bool at_home = digest && path_of(*digest) == it->path();
    visit(it->path(), at_home ? &*digest : nullptr);
  }
  if (error) {
    return Error{Code::kUnavailable, fmt::format("list {}: {}", folder_.string(), error.message())};
  }
  return ok();
}

Result<std::vector<Store::Object>> Store::objects() const {
  std::vector<Object> out;
  Status sized = ok();
  AFTUNE_TRY(walk([&](const Path& path, const Digest* digest) {
    if (digest == nullptr || !sized) return;
    Result<std::uint64_t> size = aftune::file_size(path);
    if (size) {
      out.push_back({*digest, *size});
    } else {
      sized = std::move(size).error();
    }
  }));
  AFTUNE_TRY(std::move(sized));
  std::sort(out.begin(), out.end(),
            [](const Object& a, const Object& b) { return a.digest < b.digest; });
  return out;
}

Result<std::vector<Path>> Store::strangers() const {
  std::vector<Path> out;
  AFTUNE_TRY(walk([&](const Path& path, const Digest* digest) {
    if (digest == nullptr) out.push_back(path);
  }));
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace aftune::trace
