// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/file_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace aftune {
namespace {

Error system_error(const char* verb, const Path& path, int number) {
  const Code code = number == ENOENT || number == ENOTDIR ? Code::kNotFound : Code::kUnavailable;
  return {code,
          fmt::format("{} {}: {}", verb, path.string(), std::generic_category().message(number))};
}

}  // namespace

Result<FileReader> FileReader::open(const Path& path) {
  // O_NONBLOCK: a named pipe is refused below instead of waited for.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return system_error("open", path, errno);
  struct stat facts {};
  if (::fstat(fd.get(), &facts) != 0) return system_error("stat", path, errno);
  if (!S_ISREG(facts.st_mode)) {
    return Error{Code::kInvalidInput, fmt::format("{} is not a regular file", path.string())};
  }
  return FileReader(path, std::move(fd), static_cast<std::uint64_t>(facts.st_size));
}

Status FileReader::read(std::span<std::uint8_t> into) {
  if (into.size() > left()) {
    return Error{Code::kCorrupt, fmt::format("{} has {} bytes, {} are wanted from byte {} on",
                                             path_.string(), size_, into.size(), at_)};
  }
  while (!into.empty()) {
    const ssize_t got = ::read(fd_.get(), into.data(), into.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("read", path_, errno);
    if (got == 0) {
      return Error{Code::kUnavailable,
                   fmt::format("{} shrank from {} to {} bytes while it was read", path_.string(),
                               size_, at_)};
    }
    at_ += static_cast<std::uint64_t>(got);
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return ok();
}

}  // namespace aftune
