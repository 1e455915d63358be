// SPDX-License-Identifier: Apache-2.0
// Runs on a disk that fails: at each place in turn, for good (full) or once (a bad sector). This
// file's write, fsync, fdatasync, rename, link and mkdir stand before those of the C library.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <limits>

#include "aftune/trace/finished_run_testing.h"

namespace {

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

std::atomic<std::uint64_t> calls = 0;
std::atomic<std::uint64_t> first_failure = kNever, end_of_failures = kNever;

/// Whether this call of the disk fails, and with what.
bool fails(int number) {
  const std::uint64_t call = calls++;
  if (call < first_failure || call >= end_of_failures) return false;
  errno = number;
  return true;
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  if (fd > 2 && fails(ENOSPC)) {
    if (size > 1 && calls == first_failure + 1) {  // the last bytes that fit
      return ::syscall(SYS_write, fd, data, size / 2);
    }
    return -1;
  }
  return ::syscall(SYS_write, fd, data, size);
}
int fsync(int fd) { return fails(EIO) ? -1 : static_cast<int>(::syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { return fails(EIO) ? -1 : static_cast<int>(::syscall(SYS_fdatasync, fd)); }
int rename(const char* from, const char* to) noexcept {
  if (fails(ENOSPC)) return -1;
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int link(const char* from, const char* to) noexcept {
  if (fails(ENOSPC)) return -1;
  return static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int mkdir(const char* path, mode_t mode) noexcept {
  if (fails(ENOSPC)) return -1;
  return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}
}

namespace aftune::trace {
namespace {

using testing::expect_whole;
using testing::finished_root;
using testing::must;
using testing::TinyJob;

/// Trains while calls from `first` to `end` of the disk fail.
Result<TrainReport> train_on_failing_disk(const TinyJob& job, std::uint64_t first,
                                          std::uint64_t end) {
  calls = 0;
  first_failure = first;
  end_of_failures = end;
  Result<TrainReport> done = job.train(Existing::kResume);
  first_failure = end_of_failures = kNever;
  return done;
}

std::uint64_t calls_of_a_whole_run() {
  const TinyJob job;
  must(train_on_failing_disk(job, kNever, kNever));
  return calls;
}

/// Fails from every `stride`-th call on, for `length` calls.
void fail_everywhere(std::uint64_t stride, std::uint64_t length) {
  const std::uint64_t whole = calls_of_a_whole_run();
  ASSERT_GT(whole, 100U);
  std::set<std::uint64_t> stopped_at;
  for (std::uint64_t first = 0; first < whole; first += stride) {
    const TinyJob job;
    const auto done = train_on_failing_disk(job, first, length == kNever ? kNever : first + length);
    expect_whole(job, job.run());
    if (done) {
      EXPECT_EQ(done->end, RunEnd::kClosed) << first;
    } else {
      EXPECT_EQ(done.error().code, Code::kUnavailable) << first << ": " << done.error().what;
      const auto log = tlog::read_log(job.run().log(), job.contract().log_key());
      stopped_at.insert(log ? log->entries.size() : 0);
      const auto again = job.train(Existing::kResume);
      ASSERT_TRUE(again) << first << ": " << done.error().what << "; " << again.error().what;
    }
    EXPECT_EQ(job.log(job.run()).checkpoint.root, finished_root()) << first;
    expect_whole(job, job.run());
  }
  EXPECT_GE(stopped_at.size(), 4U) << "the failures met few places only";
}

TEST(FailingDisk, AFullDiskStopsTheRunAndAResumeGivesTheSameRoot) { fail_everywhere(37, kNever); }

TEST(FailingDisk, OneFailureLosesNothingThatIsSigned) { fail_everywhere(41, 1); }

}  // namespace
}  // namespace aftune::trace
