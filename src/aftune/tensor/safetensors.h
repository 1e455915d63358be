// SPDX-License-Identifier: Apache-2.0
// safetensors files, strictly: docs/formats/safetensors.md has rules and limits.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/tensor/tensor.h"

namespace aftune {

/// A file mapped read-only, its header checked: ranges inside the file, no overlap, no hole,
/// sizes that agree with dtype and shape, no duplicate name. Elements are aligned to their size:
/// a tensor that does not lie so in the file is copied.
/// Threads: safe to read from many.
class SafetensorsFile {
 public:
  /// Errors: kNotFound, kUnavailable; kInvalidInput for a malformed file, naming tensor and
  ///         numbers; kUnsupported for an unknown dtype.
  static Result<SafetensorsFile> open(const Path& path);
  /// The same checks over bytes in memory, which must outlive the object.
  static Result<SafetensorsFile> parse(Bytes bytes);

  /// Sorted by name; views are valid while this object lives.
  [[nodiscard]] const std::map<std::string, TensorView, std::less<>>& tensors() const {
    return tensors_;
  }
  [[nodiscard]] const TensorView* find(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& metadata() const {
    return metadata_;
  }

 private:
  SafetensorsFile() = default;
  std::vector<MappedFile> file_;  // one, or none when parsed from memory
  std::vector<Tensor> copies_;    // of tensors that are not aligned in the file
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

struct NamedTensor {
  std::string name;
  TensorView tensor;
};

/// The canonical header of a file with these tensors: names ascending, canonical JSON, metadata
/// {"format":"pt"}, padded with spaces to 8 bytes, with the length in front. Equal inputs give
/// equal bytes. Requires: unique names. Only name, dtype and shape of the tensors are looked at.
std::string safetensors_header(std::vector<NamedTensor> tensors);

/// Writes header and elements in ascending name order, durably, whole or not at all.
/// Requires: unique names. Cost: the elements are written from where they are, not copied.
/// Errors: kUnavailable.
Status write_safetensors(const Path& path, std::vector<NamedTensor> tensors);

}  // namespace aftune
