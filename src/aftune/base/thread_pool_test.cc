// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <set>
#include <thread>
#include <vector>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace aftune {
namespace {

constexpr unsigned kThreadCounts[] = {1, 2, 3, 7};

TEST(ThreadPool, VisitsEachIndexOnce) {
  for (const unsigned threads : kThreadCounts) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.thread_count(), threads);
    for (std::size_t count : {0, 1, 2, 3, 4, 6, 7, 8, 63, 64, 65, 1000}) {
      std::vector<std::atomic<int>> visits(count + 1);
      pool.parallel_for(count, [&](std::size_t i) { ++visits[i]; });
      for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(visits[i], 1) << threads << " " << i;
      ASSERT_EQ(visits[count], 0);
    }
  }
}

TEST(ThreadPool, RangesCoverEachIndexOnceInPiecesOfTheGrain) {
  ThreadPool pool(3);
  const std::size_t huge = std::numeric_limits<std::size_t>::max();
  for (std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{10}, std::size_t{64}}) {
    for (std::size_t grain :
         {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{64}, huge}) {
      std::vector<std::atomic<int>> visits(count);
      std::atomic<bool> sizes_hold = true;
      pool.parallel_ranges(count, grain, [&](std::size_t begin, std::size_t end) {
        if (begin >= end || end - begin > std::max<std::size_t>(grain, 1)) sizes_hold = false;
        for (std::size_t i = begin; i < end; ++i) ++visits[i];
      });
      EXPECT_TRUE(sizes_hold);
      for (const auto& visit : visits) ASSERT_EQ(visit, 1) << count << " " << grain;
    }
  }
}

TEST(ThreadPool, ManyShortLoopsInARowLoseNothing) {
  ThreadPool pool(4);
  std::atomic<std::uint64_t> sum = 0;
  for (int round = 0; round < 2000; ++round) {
    pool.parallel_for(3, [&](std::size_t i) { sum += i + 1; });
  }
  EXPECT_EQ(sum, 2000u * 6);
}

// Runs `body` on every thread of the pool: each index waits until all have begun.
void on_each_thread(ThreadPool& pool, const std::function<void()>& body) {
  std::atomic<unsigned> arrived = 0;
  pool.parallel_for(pool.thread_count(), [&](std::size_t) {
    ++arrived;
    while (arrived < pool.thread_count()) std::this_thread::yield();
    body();
  });
}

TEST(ThreadPool, AllItsThreadsWorkAndTheCallerIsOne) {
  ThreadPool pool(3);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  on_each_thread(pool, [&] {
    const std::lock_guard lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_TRUE(seen.contains(std::this_thread::get_id()));
}

TEST(ThreadPool, EveryThreadKeepsSubnormalsAndRoundsToNearest) {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);  // a library switched flush-to-zero on
#elif defined(__aarch64__)
  std::uint64_t fpcr = 0;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  asm volatile("msr fpcr, %0" ::"r"(fpcr | std::uint64_t{1} << 24));
#endif
  std::fesetround(FE_UPWARD);
  ThreadPool pool(3);  // sets the caller's environment; its threads inherit the wrong one
  std::atomic<int> good = 0;
  on_each_thread(pool, [&] {
    volatile float small = std::numeric_limits<float>::min();
    volatile float two = 2.0F;
    volatile float half = small / two;  // flushed by FTZ
    volatile float back = half * two;   // read as zero by DAZ
    volatile float one = 1.0F;
    volatile float tiny = 0x1p-30F;
    volatile float sum = one + tiny;  // 1 unless rounded upward
    if (half != 0.0F && back == small && sum == one && std::fegetround() == FE_TONEAREST) ++good;
  });
  EXPECT_EQ(good, 3);
}

TEST(ThreadPoolDeathTest, NestedLoopsAreRefusedWhateverTheSizes) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        ThreadPool pool(1);
        pool.parallel_for(1, [&](std::size_t) { pool.parallel_for(1, [](std::size_t) {}); });
      },
      "parallel_for inside parallel_for");
}

}  // namespace
}  // namespace aftune
