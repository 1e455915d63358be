// SPDX-License-Identifier: Apache-2.0
#include "plan.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <limits>

namespace aftune::crash {
namespace {

std::string text_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const std::string text = text_of(name);
  return text.empty() ? otherwise : std::strtoull(text.c_str(), nullptr, 10);
}

constexpr unsigned bit(Kind kind) { return 1U << static_cast<unsigned>(kind); }

constexpr unsigned kNames =
    bit(Kind::kCreate) | bit(Kind::kRename) | bit(Kind::kLink) | bit(Kind::kMakeFolder);
constexpr unsigned kChanges =
    kNames | bit(Kind::kWrite) | bit(Kind::kTruncate) | bit(Kind::kSync) | bit(Kind::kRemove);

/// The kinds of calls that an action can happen to.
unsigned kinds_of(const std::string& action) {
  if (action == "eio") return kChanges | bit(Kind::kOpen);
  if (action == "enospc") return kNames | bit(Kind::kWrite);
  if (action == "eacces") return kNames | bit(Kind::kOpen) | bit(Kind::kRemove);
  if (action == "short" || action == "tear") return bit(Kind::kWrite);
  if (action == "kill" || action == "cut") return kChanges;
  return 0;
}

const char* name_of(Kind kind) {
  constexpr std::array<const char*, 9> kNamesOfKinds = {
      "open", "create", "write", "truncate", "sync", "rename", "link", "mkdir", "remove"};
  return kNamesOfKinds[static_cast<std::size_t>(kind)];
}

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  while (true) ::pause();
}

}  // namespace

Plan& Plan::get() {
  static Plan& plan = *new Plan;  // never destroyed: calls come until the very end
  return plan;
}

Plan::Plan()
    : root_(text_of("AFTUNE_DISK_ROOT")),
      action_(text_of("AFTUNE_DISK_ACTION")),
      first_(number_of("AFTUNE_DISK_FIRST", std::numeric_limits<std::uint64_t>::max())),
      count_(number_of("AFTUNE_DISK_COUNT", 1)),
      seed_(number_of("AFTUNE_DISK_SEED", 0)),
      kinds_(kinds_of(action_)) {
  const std::string calls = text_of("AFTUNE_DISK_CALLS");
  if (!calls.empty()) {
    calls_fd_ = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, calls.c_str(),
                                           O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  }
  if (action_ == "cut") unsynced_ = std::make_unique<Unsynced>(text_of("AFTUNE_DISK_SHADOW"));
}

std::string Plan::watched(int folder, const char* path) const {
  if (root_.empty() || path == nullptr) return {};
  std::string full = path;
  if (path[0] != '/') {
    if (folder == AT_FDCWD) return {};  // the driver names everything from the top
    full = watched(folder) + "/" + path;
  }
  const bool below = full.compare(0, root_.size(), root_) == 0 && full.size() > root_.size() &&
                     full[root_.size()] == '/';
  return below ? full : std::string();
}

std::string Plan::watched(int fd) const {
  if (root_.empty()) return {};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  std::array<char, PATH_MAX> at{};
  const long size = ::syscall(SYS_readlinkat, AT_FDCWD, link.c_str(), at.data(), at.size());
  if (size <= 0) return {};
  const std::string path(at.data(), static_cast<std::size_t>(size));
  if (path == root_) return path;  // a sync of its names
  return path[0] == '/' ? watched(AT_FDCWD, path.c_str()) : std::string();
}

Fate Plan::meet(Kind kind, const std::string& path) {
  if ((kinds_ & bit(kind)) == 0) return Fate::kGoes;
  note(name_of(kind), path);
  const std::uint64_t call = calls_++;
  if (call < first_ || call - first_ >= count_) return Fate::kGoes;
  if (action_ == "kill") die();
  if (action_ == "cut") {
    unsynced_->take_away(seed_);
    die();
  }
  if (action_ == "short" || action_ == "tear") return Fate::kHalf;
  // What still fits is written before a disk is full.
  if (action_ == "enospc" && kind == Kind::kWrite && call == first_) return Fate::kHalf;
  errno = action_ == "eio" ? EIO : action_ == "enospc" ? ENOSPC : EACCES;
  return Fate::kFails;
}

void Plan::after_half() {
  if (action_ == "tear") die();
}

void Plan::note(const char* what, const std::string& path) const {
  if (calls_fd_ < 0) return;
  const std::string line = std::string(what) + " " + path + "\n";
  (void)::syscall(SYS_write, calls_fd_, line.data(), line.size());
}

}  // namespace aftune::crash
