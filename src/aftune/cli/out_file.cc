// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/out_file.h"

#include <fmt/format.h>

namespace aftune::cli {

Status check_out_file(const Path& path) {
  std::error_code error;
  if (std::filesystem::symlink_status(path, error).type() !=
      std::filesystem::file_type::not_found) {
    return Error{Code::kInvalidInput,
                 fmt::format("{} exists already and is not overwritten", path.string())};
  }
  const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
  if (std::filesystem::is_directory(folder, error)) return ok();
  return Error{Code::kNotFound,
               fmt::format("{}: {} is not a folder", path.string(), folder.string())};
}

}  // namespace aftune::cli
