// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <system_error>
#include <utility>

#include "aftune/base/hex.h"
#include "aftune/base/random.h"

namespace aftune {
namespace {

Error system_error(const char* verb, const Path& path, int number) {
  // A link that leads nowhere is as absent as no file; one that leads to itself is no file at all.
  const Code code = number == ENOENT || number == ENOTDIR       ? Code::kNotFound
                    : number == ELOOP || number == ENAMETOOLONG ? Code::kInvalidInput
                                                                : Code::kUnavailable;
  return {code,
          fmt::format("{} {}: {}", verb, path.string(), std::generic_category().message(number))};
}

Path folder_of(const Path& target) {
  return target.has_parent_path() ? target.parent_path() : Path(".");
}

struct OpenFile {
  UniqueFd fd;
  std::uint64_t size;
};

Result<OpenFile> open_regular(const Path& path) {
  // O_NONBLOCK: a named pipe is refused below instead of waited for.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return system_error("open", path, errno);
  struct stat facts {};
  if (::fstat(fd.get(), &facts) != 0) return system_error("stat", path, errno);
  if (!S_ISREG(facts.st_mode)) {
    return Error{Code::kInvalidInput, fmt::format("{} is not a regular file", path.string())};
  }
  return OpenFile{std::move(fd), static_cast<std::uint64_t>(facts.st_size)};
}

// At least one byte, or 0 at the end of the file.
Result<std::size_t> read_some(int fd, const Path& path, std::span<std::uint8_t> into) {
  while (true) {
    const ssize_t got = ::read(fd, into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return system_error("read", path, errno);
  }
}

Status write_all(int fd, const Path& path, Bytes data) {
  while (!data.empty()) {
    const ssize_t wrote = ::write(fd, data.data(), data.size());
    if (wrote < 0) {
      if (errno == EINTR) continue;
      return system_error("write", path, errno);
    }
    data = data.subspan(static_cast<std::size_t>(wrote));
  }
  return ok();
}

}  // namespace

Result<ByteBuffer> read_file(const Path& path, std::uint64_t limit_bytes) {
  AFTUNE_TRY(const OpenFile file, open_regular(path));
  if (file.size > limit_bytes) {
    return Error{Code::kInvalidInput, fmt::format("{} has {} bytes, the limit is {}", path.string(),
                                                  file.size, limit_bytes)};
  }
  ByteBuffer out(file.size);
  std::size_t have = 0;
  while (have < out.size()) {
    AFTUNE_TRY(const std::size_t got, read_some(file.fd.get(), path, std::span(out).subspan(have)));
    if (got == 0) break;
    have += got;
  }
  if (have != out.size()) {
    return Error{Code::kUnavailable, fmt::format("{} shrank from {} to {} bytes while it was read",
                                                 path.string(), out.size(), have)};
  }
  return out;
}

Result<std::string> read_text_file(const Path& path, std::uint64_t limit_bytes) {
  AFTUNE_TRY(const ByteBuffer bytes, read_file(path, limit_bytes));
  return std::string(as_text(bytes));
}

Status read_file_pieces(const Path& path, const std::function<void(Bytes)>& take) {
  constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  AFTUNE_TRY(const OpenFile file, open_regular(path));
  ByteBuffer piece(std::min<std::uint64_t>(kPieceBytes, std::max<std::uint64_t>(file.size, 1)));
  while (true) {
    AFTUNE_TRY(const std::size_t got, read_some(file.fd.get(), path, piece));
    if (got == 0) return ok();
    take(Bytes(piece).first(got));
  }
}

Result<std::uint64_t> file_size(const Path& path) {
  AFTUNE_TRY(const OpenFile file, open_regular(path));
  return file.size;
}

Status make_folders(const Path& folder) {
  if (folder.empty()) return ok();
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return ok();
  AFTUNE_TRY(make_folders(folder.parent_path()));
  if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) {
    return system_error("make folder", folder, errno);
  }
  if (!std::filesystem::is_directory(folder, error)) {
    return Error{Code::kInvalidInput, fmt::format("{} is not a folder", folder.string())};
  }
  return sync_folder(folder_of(folder));
}

Status sync_folder(const Path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return system_error("open folder", folder, errno);
  if (::fsync(fd.get()) != 0) return system_error("fsync folder", folder, errno);
  return ok();
}

StagedFile::StagedFile(UniqueFd fd, Path staged, Path target)
    : fd_(std::move(fd)), staged_(std::move(staged)), target_(std::move(target)) {}

StagedFile::StagedFile(StagedFile&& other) noexcept
    : fd_(std::move(other.fd_)),
      staged_(std::move(other.staged_)),
      target_(std::move(other.target_)) {}

StagedFile::~StagedFile() {
  if (fd_) ::unlink(staged_.c_str());
}

Result<StagedFile> StagedFile::create(Path target) {
  return create_with_mode(std::move(target), 0666);
}

Result<StagedFile> StagedFile::create_with_mode(Path target, unsigned mode) {
  Path staged = target;
  staged += ".tmp-" + to_hex(random_bytes(8));
  UniqueFd fd(::open(staged.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return Error{Code::kUnavailable, system_error("create", staged, errno).what};
  return StagedFile(std::move(fd), std::move(staged), std::move(target));
}

Status StagedFile::append(Bytes data) { return write_all(fd_.get(), staged_, data); }

Status StagedFile::overwrite(std::uint64_t offset, Bytes data) {
  while (!data.empty()) {
    const ssize_t wrote = ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return system_error("write", staged_, errno);
    data = data.subspan(static_cast<std::size_t>(wrote));
    offset += static_cast<std::uint64_t>(wrote);
  }
  return ok();
}

Status StagedFile::publish() {
  if (::fsync(fd_.get()) != 0) return system_error("fsync", staged_, errno);
  if (::rename(staged_.c_str(), target_.c_str()) != 0) {
    return system_error("rename onto", target_, errno);
  }
  fd_ = UniqueFd();
  return ok();
}

Status StagedFile::commit() && {
  AFTUNE_TRY(publish());
  return sync_folder(folder_of(target_));
}

Status StagedFile::commit_new() && {
  if (::fsync(fd_.get()) != 0) return system_error("fsync", staged_, errno);
  // A second name for the file: unlike a rename it cannot replace what is there. The destructor
  // removes the first name.
  if (::link(staged_.c_str(), target_.c_str()) != 0) {
    if (errno != EEXIST) return system_error("link onto", target_, errno);
    return Error{Code::kInvalidInput, fmt::format("{} exists already", target_.string())};
  }
  Status synced = sync_folder(folder_of(target_));
  if (!synced) ::unlink(target_.c_str());  // an error means that nothing was made
  return synced;
}

UnsettledFile StagedFile::leave_unsettled() && {
  fd_ = UniqueFd();
  return {staged_, target_};
}

Status settle_file(const UnsettledFile& file) {
  // A new descriptor of the same file: fsync writes what any descriptor left in the cache.
  const UniqueFd fd(::open(file.staged.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("open", file.staged, errno);
  if (::fsync(fd.get()) != 0) return system_error("fsync", file.staged, errno);
  if (::rename(file.staged.c_str(), file.target.c_str()) != 0) {
    return system_error("rename onto", file.target, errno);
  }
  return ok();
}

Status write_file(const Path& target, Bytes data) {
  AFTUNE_TRY(StagedFile file, StagedFile::create(target));
  AFTUNE_TRY(file.append(data));
  return std::move(file).commit();
}

Status write_new_file(const Path& target, Bytes data) {
  AFTUNE_TRY(StagedFile file, StagedFile::create(target));
  AFTUNE_TRY(file.append(data));
  return std::move(file).commit_new();
}

Status write_new_private_file(const Path& target, Bytes data) {
  AFTUNE_TRY(StagedFile file, StagedFile::create_with_mode(target, 0600));
  AFTUNE_TRY(file.append(data));
  return std::move(file).commit_new();
}

Result<MappedFile> MappedFile::open(const Path& path) {
  AFTUNE_TRY(const OpenFile file, open_regular(path));
  if (file.size == 0) return MappedFile(nullptr, 0);
  void* at = ::mmap(nullptr, file.size, PROT_READ, MAP_SHARED, file.fd.get(), 0);
  if (at == MAP_FAILED) return system_error("map", path, errno);
  return MappedFile(static_cast<const std::uint8_t*>(at), file.size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

Result<FileLock> FileLock::acquire(const Path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!fd) return system_error("open lock", path, errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error("lock", path, errno);
    return Error{
        Code::kUnavailable,
        fmt::format("{} is held by another process: is a run active here?", path.string())};
  }
  return FileLock(std::move(fd));
}

}  // namespace aftune
