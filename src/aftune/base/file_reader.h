// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "aftune/base/file.h"

namespace aftune {

/// A regular file that is read in order, a piece at a time. Threads: one at a time.
class FileReader {
 public:
  /// Errors: kNotFound; kInvalidInput for no regular file; kUnavailable.
  static Result<FileReader> open(const Path& path);

  /// Bytes of the file when it was opened.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Bytes that have not been read.
  [[nodiscard]] std::uint64_t left() const { return size_ - at_; }

  /// Fills all of `into`. Errors: kCorrupt for a file that ends before that; kUnavailable.
  Status read(std::span<std::uint8_t> into);

 private:
  FileReader(Path path, UniqueFd fd, std::uint64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}

  Path path_;
  UniqueFd fd_;
  std::uint64_t size_ = 0, at_ = 0;
};

}  // namespace aftune
