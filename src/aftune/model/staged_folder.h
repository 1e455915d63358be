// SPDX-License-Identifier: Apache-2.0
// A folder that is filled completely or not at all.
#pragma once

#include <string>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/base/result.h"
#include "aftune/tensor/safetensors.h"

namespace aftune::model {

/// Fills a folder that was absent or empty. Destroyed before commit(), it removes the files it
/// wrote and the folders it made, and nothing else.
///
/// Threads: one at a time.
class StagedFolder {
 public:
  /// Errors: kInvalidInput for a folder that has something in it or is no folder; kUnavailable.
  static Result<StagedFolder> create(const Path& folder);

  StagedFolder(StagedFolder&& other) noexcept;
  StagedFolder& operator=(StagedFolder&&) = delete;
  ~StagedFolder();

  /// Durably writes a file of the folder. Errors: kUnavailable.
  Status write(const std::string& name, Bytes data);
  Status write_tensors(const std::string& name, std::vector<NamedTensor> tensors);

  /// Syncs and keeps the folder: `std::move(folder).commit()`. Errors: kUnavailable.
  Status commit() &&;

 private:
  StagedFolder(Path folder, std::vector<Path> made)
      : folder_(std::move(folder)), made_(std::move(made)) {}

  Path folder_;             // empty once committed or moved from: nothing left to undo
  std::vector<Path> made_;  // folders and files, in the order of their making
};

}  // namespace aftune::model
