// SPDX-License-Identifier: Apache-2.0
// The calls of the disk that stand before those of the C library in a program under
// LD_PRELOAD. Each is counted, and meets what the plan has for it (plan.h).
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <limits>

#include "plan.h"

namespace aftune::crash {
namespace {

int int_call(long result) { return static_cast<int>(result); }

bool is_there(int folder, const char* path) {
  struct stat facts {};
  return ::fstatat(folder, path, &facts, 0) == 0;
}

/// A call that is told by a path. `after` runs when it went well.
int by_path(Kind kind, const std::string& path, const std::function<long()>& go,
            const std::function<void(Unsynced&)>& after) {
  Plan& plan = Plan::get();
  const std::scoped_lock lock(plan.mutex());
  if (plan.meet(kind, path) == Fate::kFails) return -1;
  const int done = int_call(go());
  if (done >= 0 && plan.unsynced() != nullptr) after(*plan.unsynced());
  return done;
}

int open_at(int folder, const char* name, int flags, mode_t mode) {
  const auto go = [&] { return ::syscall(SYS_openat, folder, name, flags, mode); };
  const std::string path = Plan::get().watched(folder, name);
  if (path.empty()) return int_call(go());
  const int error = errno;  // looking does not count
  const bool creates = (flags & O_CREAT) != 0 && !is_there(folder, name);
  errno = error;
  return by_path(creates ? Kind::kCreate : Kind::kOpen, path, go, [&](Unsynced& unsynced) {
    if (creates) unsynced.made(path);
  });
}

int rename_at(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  Plan& plan = Plan::get();
  const std::string source = plan.watched(from_folder, from);
  const std::string target = plan.watched(to_folder, to);
  std::string replaced;
  const auto go = [&] {
    if (plan.unsynced() != nullptr && !target.empty()) replaced = plan.unsynced()->keep(target);
    return ::syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
  };
  if (target.empty()) return int_call(go());
  return by_path(Kind::kRename, target, go,
                 [&](Unsynced& unsynced) { unsynced.renamed(source, target, replaced); });
}

int link_at(int from_folder, const char* from, int to_folder, const char* to, int flags) {
  const auto go = [&] { return ::syscall(SYS_linkat, from_folder, from, to_folder, to, flags); };
  const std::string path = Plan::get().watched(to_folder, to);
  if (path.empty()) return int_call(go());
  return by_path(Kind::kLink, path, go, [&](Unsynced& unsynced) { unsynced.made(path); });
}

int make_folder(int folder, const char* name, mode_t mode) {
  const auto go = [&] { return ::syscall(SYS_mkdirat, folder, name, mode); };
  const std::string path = Plan::get().watched(folder, name);
  if (path.empty()) return int_call(go());
  return by_path(Kind::kMakeFolder, path, go, [&](Unsynced& unsynced) { unsynced.made(path); });
}

int remove_at(int folder, const char* name, int flags) {
  Plan& plan = Plan::get();
  const std::string path = plan.watched(folder, name);
  std::string kept;
  const auto go = [&] {
    if (plan.unsynced() != nullptr && !path.empty()) kept = plan.unsynced()->keep(path);
    return ::syscall(SYS_unlinkat, folder, name, flags);
  };
  if (path.empty()) return int_call(go());
  return by_path(Kind::kRemove, path, go, [&](Unsynced& unsynced) {
    if ((flags & AT_REMOVEDIR) != 0) {
      unsynced.removed_folder(path);
    } else {
      unsynced.removed(path, kept);
    }
  });
}

ssize_t write_some(int fd, size_t size, const std::function<long(size_t)>& go) {
  Plan& plan = Plan::get();
  const std::string path = plan.watched(fd);
  if (path.empty()) return go(size);
  const std::scoped_lock lock(plan.mutex());
  const Fate fate = plan.meet(Kind::kWrite, path);
  if (fate == Fate::kFails) return -1;
  if (plan.unsynced() != nullptr) plan.unsynced()->changing(fd);
  const ssize_t wrote = go(fate == Fate::kHalf ? (size + 1) / 2 : size);
  if (fate == Fate::kHalf) plan.after_half();
  return wrote;
}

int sync_by(long number, int fd) {
  Plan& plan = Plan::get();
  const std::string path = plan.watched(fd);
  if (path.empty()) return int_call(::syscall(number, fd));
  const std::scoped_lock lock(plan.mutex());
  if (plan.meet(Kind::kSync, path) == Fate::kFails) return -1;
  const int done = int_call(::syscall(number, fd));
  if (done == 0 && plan.unsynced() != nullptr) plan.unsynced()->synced(fd, path);
  if (done == 0) plan.note("synced", path);
  return done;
}

int truncate_to(int fd, off_t size) {
  Plan& plan = Plan::get();
  const std::string path = plan.watched(fd);
  if (path.empty()) return int_call(::syscall(SYS_ftruncate, fd, size));
  const std::scoped_lock lock(plan.mutex());
  if (plan.meet(Kind::kTruncate, path) == Fate::kFails) return -1;
  if (plan.unsynced() != nullptr) plan.unsynced()->changing(fd);
  return int_call(::syscall(SYS_ftruncate, fd, size));
}

mode_t mode_of(int flags, va_list arguments) {
  const bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return has_mode ? va_arg(arguments, mode_t) : 0;
}

}  // namespace
}  // namespace aftune::crash

using namespace aftune::crash;  // NOLINT: what follows has the C library's names

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(folder, path, flags, mode);
}

ssize_t write(int fd, const void* data, size_t size) {
  return write_some(fd, size, [&](size_t n) { return ::syscall(SYS_write, fd, data, n); });
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  return write_some(fd, size,
                    [&](size_t n) { return ::syscall(SYS_pwrite64, fd, data, n, offset); });
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  return write_some(fd, size,
                    [&](size_t n) { return ::syscall(SYS_pwrite64, fd, data, n, offset); });
}
int ftruncate(int fd, off_t size) noexcept { return truncate_to(fd, size); }
int ftruncate64(int fd, off64_t size) noexcept { return truncate_to(fd, size); }
int fsync(int fd) { return sync_by(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }

int rename(const char* from, const char* to) noexcept {
  return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  return rename_at(from_folder, from, to_folder, to, 0);
}
int link(const char* from, const char* to) noexcept {
  return link_at(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int mkdir(const char* path, mode_t mode) noexcept { return make_folder(AT_FDCWD, path, mode); }
int unlink(const char* path) noexcept { return remove_at(AT_FDCWD, path, 0); }
int rmdir(const char* path) noexcept { return remove_at(AT_FDCWD, path, AT_REMOVEDIR); }
int unlinkat(int folder, const char* path, int flags) noexcept {
  return remove_at(folder, path, flags);
}
int remove(const char* path) noexcept {
  struct stat facts {};
  if (::lstat(path, &facts) != 0) return -1;
  return remove_at(AT_FDCWD, path, S_ISDIR(facts.st_mode) ? AT_REMOVEDIR : 0);
}
}
