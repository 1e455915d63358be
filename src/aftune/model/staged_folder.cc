// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/staged_folder.h"

#include <fmt/core.h>

#include <algorithm>
#include <system_error>

namespace aftune::model {
namespace {

namespace fs = std::filesystem;

/// The folders on the way to `folder`, itself included, that do not exist; outermost first.
std::vector<Path> missing_folders(const Path& folder) {
  std::vector<Path> out;
  std::error_code error;
  for (Path at = folder; !at.empty() && !fs::exists(at, error); at = at.parent_path()) {
    out.push_back(at);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

void remove_made(const std::vector<Path>& made) {
  // Not recursive: a folder that somebody else put something into stays.
  for (auto path = made.rbegin(); path != made.rend(); ++path) {
    std::error_code ignored;
    fs::remove(*path, ignored);
  }
}

}  // namespace

Result<StagedFolder> StagedFolder::create(const Path& folder) {
  std::error_code error;
  const Path normal = fs::absolute(folder, error).lexically_normal();
  const Path target = normal.has_filename() ? normal : normal.parent_path();
  const auto status = fs::status(target, error);
  if (fs::exists(status)) {
    if (!fs::is_directory(status)) {
      return Error{Code::kInvalidInput, fmt::format("{} is no folder", folder.string())};
    }
    const bool empty = fs::is_empty(target, error);
    if (error) {
      return Error{Code::kUnavailable,
                   fmt::format("read folder {}: {}", folder.string(), error.message())};
    }
    if (!empty) {
      return Error{Code::kInvalidInput, fmt::format("folder {} is not empty", folder.string())};
    }
  }
  std::vector<Path> made = missing_folders(target);
  if (Status status_made = make_folders(target); !status_made) {
    remove_made(made);
    return std::move(status_made).error();
  }
  return StagedFolder(target, std::move(made));
}

StagedFolder::StagedFolder(StagedFolder&& other) noexcept
    : folder_(std::exchange(other.folder_, Path())), made_(std::exchange(other.made_, {})) {}

StagedFolder::~StagedFolder() {
  if (!folder_.empty()) remove_made(made_);
}

Status StagedFolder::write(const std::string& name, Bytes data) {
  made_.push_back(folder_ / name);
  return write_file(made_.back(), data);
}

Status StagedFolder::write_tensors(const std::string& name, std::vector<NamedTensor> tensors) {
  made_.push_back(folder_ / name);
  return write_safetensors(made_.back(), std::move(tensors));
}

Status StagedFolder::commit() && {
  AFTUNE_TRY(sync_folder(folder_));
  folder_.clear();
  return ok();
}

}  // namespace aftune::model
