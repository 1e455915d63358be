// SPDX-License-Identifier: Apache-2.0
// For tests: folders that go away, and the key of the log under test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "aftune/base/file.h"
#include "aftune/crypto/ed25519.h"

namespace aftune::tlog {

class TestFolder {
 public:
  TestFolder() {
    // in memory where there is such a folder: these tests sync a thousand times
    const Path memory = "/dev/shm";
    const bool is_usable = ::access(memory.c_str(), W_OK | X_OK) == 0;
    const Path parent = is_usable ? memory : std::filesystem::temp_directory_path();
    std::string name = (parent / "aftune-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  [[nodiscard]] const Path& path() const { return path_; }

 private:
  Path path_;
};

inline crypto::PrivateKey test_key(std::uint8_t seed) {
  return *crypto::PrivateKey::from_seed(crypto::SecretBytes(ByteBuffer(32, seed)));
}

/// Path, relative to `folder`, to content, of every file in it.
inline std::map<std::string, ByteBuffer> files_of(const Path& folder) {
  std::map<std::string, ByteBuffer> out;
  for (const auto& at : std::filesystem::recursive_directory_iterator(folder)) {
    if (!at.is_regular_file()) continue;
    out[std::filesystem::relative(at.path(), folder).string()] = *read_file(at.path(), 1 << 24);
  }
  return out;
}

}  // namespace aftune::tlog
