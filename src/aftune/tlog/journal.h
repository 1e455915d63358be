// SPDX-License-Identifier: Apache-2.0
// The journal of a log: entries that are durable and that no checkpoint covers yet.
// Bytes: docs/formats/log.md section 6.1.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aftune/base/file.h"
#include "aftune/base/unique_fd.h"

namespace aftune::tlog {

/// An append-only file of records, open for writing. Threads: one at a time.
class Journal {
 public:
  struct Record {
    std::uint64_t index = 0;
    std::string entry;
    friend bool operator==(const Record&, const Record&) = default;
  };
  struct Opened;

  /// Opens or creates; cuts the file at the first record that is torn.
  /// Errors: kInvalidInput if it is no regular file; kUnavailable.
  static Result<Opened> open(const Path& path);

  /// Makes one record durable: one write, one fdatasync. Requires: at most 65535 bytes.
  /// Errors: kUnavailable, and then for every later call as well.
  Status append(std::uint64_t index, std::string_view entry);
  /// Holds exactly `records` afterwards, durably, or what it held. Errors: kUnavailable.
  Status replace(const std::vector<Record>& records);
  /// Empties the file; durable with the next append. Errors: kUnavailable.
  Status clear();
  /// Takes nothing more: every later call gives kUnavailable.
  void close() { fd_ = UniqueFd(); }

 private:
  Journal(Path path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  [[nodiscard]] Status closed() const;
  Status broken(const char* verb, int number);

  Path path_;
  UniqueFd fd_;  // none once an operation failed
};

struct Journal::Opened {
  Journal journal;
  std::vector<Record> records;
};

}  // namespace aftune::tlog
