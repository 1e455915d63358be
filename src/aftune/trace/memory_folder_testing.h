// SPDX-License-Identifier: Apache-2.0
// A folder on another machine, played by a map; it fails as told.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aftune/base/remote_folder.h"

namespace aftune::trace::testing {

/// Threads: as its users have it, one at a time.
class MemoryFolder final : public RemoteFolder {
 public:
  std::map<std::string, std::string> files;
  std::vector<std::string> calls;  // "put log/checkpoint", in order
  /// Asked before each call; an error is the call's.
  std::function<std::optional<Error>(const std::string& call)> fault;
  /// Changes what is handed out.
  std::function<void(const std::string& name, std::string& bytes)> alter;
  std::vector<std::string> kept;  // names put as agreed

  [[nodiscard]] std::size_t count(const std::string& start) const {
    return static_cast<std::size_t>(
        std::count_if(calls.begin(), calls.end(),
                      [&](const std::string& call) { return call.starts_with(start); }));
  }

  [[nodiscard]] std::string description() const override { return "memory"; }

  Result<std::vector<File>> list() override {
    AFTUNE_TRY(begin("list"));
    std::vector<File> out;
    for (const auto& [name, bytes] : files) out.push_back({name, bytes.size()});
    return out;
  }

  Status fetch(const std::string& name, std::uint64_t limit_bytes, const Path& target) override {
    AFTUNE_TRY(begin("fetch " + name));
    AFTUNE_TRY(const std::string bytes, bytes_of(name));
    if (bytes.size() > limit_bytes) return Error{Code::kInvalidInput, name + " is too long"};
    return write_file(target, as_bytes(bytes));
  }

  Result<ByteBuffer> read_head(const std::string& name, std::size_t count) override {
    AFTUNE_TRY(begin("head " + name));
    AFTUNE_TRY(const std::string bytes, bytes_of(name));
    const Bytes head = as_bytes(bytes).first(std::min(count, bytes.size()));
    return ByteBuffer(head.begin(), head.end());
  }

  Status put(const std::string& name, Bytes content, Keep keep) override {
    AFTUNE_TRY(begin("put " + name));
    files[name] = as_text(content);
    if (keep == Keep::kAsAgreed) kept.push_back(name);
    return ok();
  }

 private:
  Status begin(const std::string& call) {
    calls.push_back(call);
    if (fault) {
      if (auto error = fault(call)) return *error;
    }
    return ok();
  }
  Result<std::string> bytes_of(const std::string& name) const {
    const auto found = files.find(name);
    if (found == files.end()) return Error{Code::kNotFound, "there is no " + name};
    std::string bytes = found->second;
    if (alter) alter(name, bytes);
    return bytes;
  }
};

}  // namespace aftune::trace::testing
