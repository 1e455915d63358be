// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "aftune/base/check.h"
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace aftune {

void set_float_environment() {
  std::fesetround(FE_TONEAREST);
#if defined(__x86_64__)
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  constexpr unsigned kMaskAllExceptions = 0x1f80;
  _mm_setcsr((_mm_getcsr() | kMaskAllExceptions) & ~(kFlushToZero | kDenormalsAreZero));
#elif defined(__aarch64__)
  constexpr std::uint64_t kFlushToZero = std::uint64_t{1} << 24;
  constexpr std::uint64_t kFlushToZero16 = std::uint64_t{1} << 19;
  constexpr std::uint64_t kTrapExceptions = 0x9f00;
  // FIZ, AH and NEP of newer processors: inputs flushed, other NaNs and roundings, other lanes
  // kept. The bits are zero where a processor lacks them.
  constexpr std::uint64_t kAlternateBehaviour = 0x7;
  std::uint64_t fpcr = 0;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  fpcr &= ~(kFlushToZero | kFlushToZero16 | kTrapExceptions | kAlternateBehaviour);
  asm volatile("msr fpcr, %0" ::"r"(fpcr));
#endif
}

namespace {

/// Loops of a step follow each other within microseconds: a thread that looks for the next one a
/// little longer before it sleeps saves a wake-up, which costs as much as a short loop.
constexpr int kSpins = 2000;

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable start, done;
  const std::function<void(std::size_t)>* body = nullptr;
  std::size_t count = 0;
  std::atomic<std::size_t> next{0};
  std::atomic<unsigned> working{0};     // changed under the mutex, or by a worker that is done
  std::atomic<std::uint64_t> round{0};  // changed under the mutex; its store publishes the loop
  bool stopping = false;
  std::atomic<bool> in_loop{false};
  int spins = 0;
  std::vector<std::thread> threads;

  void drain() {
    for (std::size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) (*body)(i);
  }

  void run(std::size_t total, const std::function<void(std::size_t)>& each) {
    if (total <= 1 || threads.empty()) {
      for (std::size_t i = 0; i < total; ++i) each(i);
      return;
    }
    {
      const std::lock_guard lock(mutex);
      body = &each;
      count = total;
      next = 0;
      working = static_cast<unsigned>(threads.size());
      ++round;
    }
    start.notify_all();
    drain();
    for (int i = 0; i < spins && working != 0; ++i) relax();
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return working == 0; });
  }

  void work() {
    set_float_environment();
    std::uint64_t seen = 0;
    while (true) {
      for (int i = 0; i < spins && round == seen; ++i) relax();
      {
        std::unique_lock lock(mutex);
        start.wait(lock, [&] { return stopping || round != seen; });
        if (stopping) return;
        seen = round;
      }
      drain();
      const std::lock_guard lock(mutex);
      if (--working == 0) done.notify_one();
    }
  }
};

ThreadPool::ThreadPool(unsigned thread_count) : state_(std::make_unique<State>()) {
  AFTUNE_CHECK(thread_count >= 1, "a pool needs a thread");
  set_float_environment();
  if (thread_count <= std::thread::hardware_concurrency()) state_->spins = kSpins;
  for (unsigned i = 1; i < thread_count; ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->work(); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->start.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

unsigned ThreadPool::thread_count() const {
  return static_cast<unsigned>(state_->threads.size()) + 1;
}

void ThreadPool::parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  // Also where no thread is woken: a nested loop must not pass on small inputs only.
  AFTUNE_CHECK(!state_->in_loop.exchange(true), "parallel_for inside parallel_for");
  state_->run(count, body);
  state_->in_loop = false;
}

void ThreadPool::parallel_ranges(std::size_t count, std::size_t grain,
                                 const std::function<void(std::size_t, std::size_t)>& body) {
  grain = std::max<std::size_t>(grain, 1);
  parallel_for(count / grain + (count % grain != 0), [&](std::size_t chunk) {
    const std::size_t begin = chunk * grain;
    body(begin, begin + std::min(grain, count - begin));
  });
}

}  // namespace aftune
