// SPDX-License-Identifier: Apache-2.0
// One background thread that does jobs in the order in which they came.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "aftune/base/result.h"

namespace aftune::trace {

/// After the first job that fails, no further job runs and every call reports that error: nothing
/// is skipped silently. Threads: post, wait_for and drain from one thread.
class Worker {
 public:
  /// At most `limit_bytes` of jobs' memory wait; post() blocks until there is room.
  explicit Worker(std::uint64_t limit_bytes);
  ~Worker();  // finishes the running job, drops the rest: call drain() first
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// A ticket for wait_for(). `bytes`: memory that the job keeps alive.
  Result<std::uint64_t> post(std::uint64_t bytes, std::function<Status()> job);
  /// Returns when the job of this ticket and all before it are done.
  Status wait_for(std::uint64_t ticket);
  Status drain();

  /// Seconds that callers waited in post() and wait_for().
  [[nodiscard]] double stalled_seconds() const { return stalled_seconds_; }
  /// Seconds that jobs ran. Requires: drain() returned.
  [[nodiscard]] double busy_seconds() const { return busy_seconds_; }

 private:
  struct Job {
    std::uint64_t bytes;
    std::function<Status()> run;
  };
  void work();
  Status failure() const;

  const std::uint64_t limit_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::uint64_t waiting_bytes_ = 0;
  std::uint64_t posted_ = 0, done_ = 0;
  Status state_ = ok();
  bool stopping_ = false;
  double stalled_seconds_ = 0;
  double busy_seconds_ = 0;
  std::thread thread_;  // last: starts when everything else is there
};

}  // namespace aftune::trace
