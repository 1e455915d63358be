// SPDX-License-Identifier: Apache-2.0
// Which calls of a program meet a failing disk, a kill or a power cut, and how. The environment
// says so: AFTUNE_DISK_ROOT, _ACTION, _FIRST, _COUNT, _SEED, _SHADOW, _CALLS; README.md.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "unsynced.h"

namespace aftune::crash {

/// What a call does to the disk.
enum class Kind : std::uint8_t {
  kOpen,  // of a file that is there
  kCreate,
  kWrite,
  kTruncate,
  kSync,
  kRename,
  kLink,
  kMakeFolder,
  kRemove
};

/// What becomes of a call.
enum class Fate : std::uint8_t {
  kGoes,   // as the program asked
  kFails,  // errno is set
  kHalf,   // half of the bytes, without an error
};

/// One for a process. Threads: from meet() to the end of its call under mutex().
class Plan {
 public:
  static Plan& get();

  /// The path that is meant, if it lies below the root; empty otherwise.
  [[nodiscard]] std::string watched(int folder, const char* path) const;
  [[nodiscard]] std::string watched(int fd) const;

  std::mutex& mutex() { return mutex_; }

  /// The next call. Does not return where the process is killed or the power cut.
  Fate meet(Kind kind, const std::string& path);
  /// After a call that wrote half its bytes: where it was torn, the process dies.
  void after_half();
  /// A line for whoever planned this: "synced" a path.
  void note(const char* what, const std::string& path) const;

  /// What a power cut would take; null where none is planned.
  [[nodiscard]] Unsynced* unsynced() { return unsynced_.get(); }

 private:
  Plan();

  std::string root_, action_;
  std::uint64_t first_, count_, seed_;
  int calls_fd_ = -1;
  std::uint64_t calls_ = 0;
  unsigned kinds_ = 0;  // bits of the kinds that the action concerns
  std::mutex mutex_;
  std::unique_ptr<Unsynced> unsynced_;
};

}  // namespace aftune::crash
