// SPDX-License-Identifier: Apache-2.0
#include "unsynced.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace aftune::crash {
namespace {

// Calls past the interposed functions of this library.
int open_past(const std::string& path, int flags) {
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path.c_str(), flags | O_CLOEXEC, 0));
}
void unlink_past(const std::string& path, int flags) {
  (void)::syscall(SYS_unlinkat, AT_FDCWD, path.c_str(), flags);
}
void rename_past(const std::string& from, const std::string& to) {
  (void)::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 0);
}

std::string bytes_of(int fd) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return {};
  std::string out(static_cast<std::size_t>(facts.st_size), '\0');
  const long got = ::syscall(SYS_pread64, fd, out.data(), out.size(), off_t{0});
  out.resize(static_cast<std::size_t>(std::max(got, 0L)));
  return out;
}

/// A file, or a folder with all that is in it.
void remove_past(const std::string& path) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) return;
  if (!S_ISDIR(facts.st_mode)) return unlink_past(path, 0);
  std::vector<std::string> inside;
  DIR* folder = ::opendir(path.c_str());  // opens inside the C library: not interposed
  for (const dirent* entry; folder != nullptr && (entry = ::readdir(folder)) != nullptr;) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") inside.push_back(path + "/" + name);
  }
  if (folder != nullptr) ::closedir(folder);
  for (const std::string& one : inside) remove_past(one);
  unlink_past(path, AT_REMOVEDIR);
}

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

enum Choice : std::uint64_t { kLost, kStays, kHalfLost, kZeros, kChoices };

}  // namespace

void Unsynced::changing(int fd) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0 || files_.contains(facts.st_ino)) return;
  const int own = open_past("/proc/self/fd/" + std::to_string(fd), O_RDWR);
  if (own >= 0) files_.emplace(facts.st_ino, Bytes{own, bytes_of(own)});
}

std::string Unsynced::keep(const std::string& path) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0 || S_ISDIR(facts.st_mode)) return {};
  const std::string kept = shadow_ + "/" + std::to_string(kept_count_++);
  (void)::syscall(SYS_linkat, AT_FDCWD, path.c_str(), AT_FDCWD, kept.c_str(), 0);
  return kept;
}

void Unsynced::synced(int fd, const std::string& path) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return;
  if (S_ISDIR(facts.st_mode)) {
    std::erase_if(names_, [&](const Change& change) {
      if (folder_of(change.path) != path) return false;
      if (!change.kept.empty()) unlink_past(change.kept, 0);
      return true;
    });
    return;
  }
  const auto file = files_.find(facts.st_ino);
  if (file == files_.end()) return;
  (void)::syscall(SYS_close, file->second.fd);
  files_.erase(file);
}

void Unsynced::undo(const Change& change) const {
  switch (change.what) {
    case Change::kMade:
      return remove_past(change.path);
    case Change::kRenamed:
      rename_past(change.path, change.from);
      if (!change.kept.empty()) rename_past(change.kept, change.path);
      return;
    case Change::kRemoved:
      if (!change.kept.empty()) rename_past(change.kept, change.path);
      return;
    case Change::kRemovedFolder:
      (void)::syscall(SYS_mkdirat, AT_FDCWD, change.path.c_str(), 0777);
  }
}

void Unsynced::restore(const Bytes& file, std::uint64_t choice) {
  if (choice == kStays) return;
  const std::string now = bytes_of(file.fd);
  std::string then = file.bytes;
  if (choice == kHalfLost && now.size() > then.size()) {
    then = now.substr(0, then.size() + (now.size() - then.size()) / 2);
  }
  if (choice == kZeros && now.size() > then.size()) then.resize(now.size(), '\0');
  (void)::syscall(SYS_ftruncate, file.fd, off_t{0});
  (void)::syscall(SYS_pwrite64, file.fd, then.data(), then.size(), off_t{0});
}

void Unsynced::take_away(std::uint64_t seed) {
  std::size_t stay = 0;
  if (seed == 1) stay = names_.size();
  if (seed > 2) stay = mixed(seed) % (names_.size() + 1);
  while (names_.size() > stay) {
    undo(names_.back());
    names_.pop_back();
  }
  for (const auto& [inode, file] : files_) {
    restore(file, seed < 2 ? kLost : seed == 2 ? kStays : mixed(seed ^ inode) % kChoices);
  }
}

}  // namespace aftune::crash
