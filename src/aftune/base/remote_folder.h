// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aftune/base/file.h"

namespace aftune {

/// A folder of files on another machine. Names are relative, with "/" between their parts.
///
/// Errors of all calls: kUnavailable for trouble on the way that may pass, after tries enough;
///         kInvalidInput for what the other side refuses.
/// Threads: any.
class RemoteFolder {
 public:
  struct File {
    std::string name;
    std::uint64_t size = 0;
    friend bool operator==(const File&, const File&) = default;
  };
  /// Of a file that is put: whether it may be replaced or removed soon.
  enum class Keep : std::uint8_t { kReplaceable, kAsAgreed };

  virtual ~RemoteFolder() = default;

  /// For messages; holds no secret.
  [[nodiscard]] virtual std::string description() const = 0;

  /// All files, ascending by name. Errors: kNotFound if there is no such place.
  virtual Result<std::vector<File>> list() = 0;

  /// Writes the whole file to `target`, which appears whole or not at all.
  /// Errors: kNotFound; kInvalidInput over `limit_bytes`.
  virtual Status fetch(const std::string& name, std::uint64_t limit_bytes, const Path& target) = 0;

  /// The first `count` bytes; fewer if the file has fewer. Errors: kNotFound.
  virtual Result<ByteBuffer> read_head(const std::string& name, std::size_t count) = 0;

  /// Makes a file of `content`, or replaces it; durable there on return.
  virtual Status put(const std::string& name, Bytes content, Keep keep) = 0;
};

}  // namespace aftune
