// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/run_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace aftune::trace {

Status place_file(const Path& from, const Path& to) {
  std::error_code error;
  const Path source = std::filesystem::canonical(from, error);
  if (error) return Error{Code::kNotFound, fmt::format("{}: {}", from.string(), error.message())};
  if (::link(source.c_str(), to.c_str()) == 0) return sync_folder(to.parent_path());
  if (errno == EEXIST) {
    return Error{Code::kInvalidInput, fmt::format("{} exists already", to.string())};
  }
  AFTUNE_TRY(const MappedFile content, MappedFile::open(source));
  return write_file(to, content.bytes());
}

}  // namespace aftune::trace
