// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/worker.h"

#include "aftune/base/stopwatch.h"

namespace aftune::trace {
Worker::Worker(std::uint64_t limit_bytes)
    : limit_bytes_(limit_bytes), thread_([this] { work(); }) {}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Status Worker::failure() const {
  if (state_) return ok();
  return Error{state_.error().code, state_.error().what};
}

Result<std::uint64_t> Worker::post(std::uint64_t bytes, std::function<Status()> job) {
  std::unique_lock lock(mutex_);
  const Stopwatch watch;
  changed_.wait(lock, [&] {
    return !state_ || waiting_bytes_ == 0 || waiting_bytes_ + bytes <= limit_bytes_;
  });
  stalled_seconds_ += watch.seconds();
  AFTUNE_TRY(failure());
  waiting_bytes_ += bytes;
  jobs_.push_back({bytes, std::move(job)});
  const std::uint64_t ticket = ++posted_;
  changed_.notify_all();
  return ticket;
}

Status Worker::wait_for(std::uint64_t ticket) {
  std::unique_lock lock(mutex_);
  const Stopwatch watch;
  changed_.wait(lock, [&] { return !state_ || done_ >= ticket; });
  stalled_seconds_ += watch.seconds();
  return failure();
}

Status Worker::drain() { return wait_for(posted_); }

void Worker::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || (state_ && !jobs_.empty()); });
    if (stopping_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    const Stopwatch watch;
    Status done = job.run();
    job.run = nullptr;  // frees what it kept alive before the bytes count as free
    const double took = watch.seconds();
    lock.lock();
    busy_seconds_ += took;
    waiting_bytes_ -= job.bytes;
    ++done_;
    if (!done) state_ = std::move(done);
    changed_.notify_all();
  }
}

}  // namespace aftune::trace
