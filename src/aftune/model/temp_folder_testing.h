// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdlib.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/base/file.h"

namespace aftune::model::testing {

/// A folder of its own for one test, removed with everything in it.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "aftune-model-XXXXXX").string();
    AFTUNE_CHECK(::mkdtemp(name.data()) != nullptr, "no temporary folder");
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const Path& path() const { return path_; }
  [[nodiscard]] Path operator/(const char* name) const { return path_ / name; }

 private:
  Path path_;
};

/// Names in a folder, ascending.
inline std::vector<std::string> names_in(const Path& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    out.push_back(entry.path().filename().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

inline void put(const Path& path, std::string_view text) {
  AFTUNE_CHECK(write_file(path, as_bytes(text)).has_value(), "test file not written");
}

inline std::string get(const Path& path) {
  auto text = read_text_file(path, std::uint64_t{1} << 30);
  AFTUNE_CHECK(text.has_value(), "test file not read");
  return *std::move(text);
}

}  // namespace aftune::model::testing
