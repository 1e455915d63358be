// SPDX-License-Identifier: Apache-2.0
// The weights of a Hugging Face folder: one model.safetensors, or several files and an index.
// Rules: docs/formats/model-folder.md, "Weights in several files".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/tensor/safetensors.h"

namespace aftune::model {

/// Every tensor of the folder, mapped. Views are valid while this object lives.
/// Threads: safe to read from many.
class WeightFiles {
 public:
  /// model.safetensors where it is there, else what model.safetensors.index.json names.
  /// Errors: kNotFound naming the file that is missing; kInvalidInput naming file and tensor.
  static Result<WeightFiles> open(const Path& folder);

  /// Sorted by name.
  [[nodiscard]] const std::map<std::string, TensorView, std::less<>>& tensors() const {
    return tensors_;
  }
  [[nodiscard]] const TensorView* find(std::string_view name) const;
  /// The file that says which tensors there are.
  [[nodiscard]] const Path& path() const { return path_; }

 private:
  explicit WeightFiles(Path path) : path_(std::move(path)) {}
  Status add_indexed(const Path& folder);

  Path path_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, TensorView, std::less<>> tensors_;
};

}  // namespace aftune::model
