// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

namespace aftune::trace {
namespace {

TEST(Worker, DoesJobsInTheOrderOfPosting) {
  Worker worker(1 << 20);
  std::vector<int> done;
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(worker.post(1, [&done, i] {
      done.push_back(i);
      return ok();
    }));
  }
  ASSERT_TRUE(worker.drain());
  ASSERT_EQ(done.size(), 200U);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(done[static_cast<std::size_t>(i)], i);
}

TEST(Worker, WaitsForATicketAndNotForLaterJobs) {
  Worker worker(1 << 20);
  std::promise<void> gate;
  std::atomic<bool> first = false;
  const auto ticket = worker.post(0, [&] {
    first = true;
    return ok();
  });
  ASSERT_TRUE(worker.post(0, [&] {
    gate.get_future().wait();
    return ok();
  }));
  ASSERT_TRUE(worker.wait_for(*ticket));
  EXPECT_TRUE(first);
  gate.set_value();
  EXPECT_TRUE(worker.drain());
}

TEST(Worker, BlocksThePosterWhileMemoryIsFull) {
  Worker worker(10);
  std::promise<void> gate;
  std::atomic<int> done = 0;
  ASSERT_TRUE(worker.post(6, [&] {
    gate.get_future().wait();
    ++done;
    return ok();
  }));
  std::promise<void> posted;
  auto poster = std::async(std::launch::async, [&] {
    const auto ticket = worker.post(5, [&] {
      ++done;
      return ok();
    });
    posted.set_value();
    return ticket.has_value();
  });
  auto soon = posted.get_future();
  EXPECT_EQ(soon.wait_for(std::chrono::milliseconds(30)), std::future_status::timeout);
  gate.set_value();
  EXPECT_TRUE(poster.get());
  EXPECT_TRUE(worker.drain());
  EXPECT_EQ(done, 2);
  EXPECT_GT(worker.stalled_seconds(), 0.0);
}

TEST(Worker, TakesAJobLargerThanItsLimitWhenIdle) {
  Worker worker(10);
  bool done = false;
  ASSERT_TRUE(worker.post(1000, [&] {
    done = true;
    return ok();
  }));
  ASSERT_TRUE(worker.drain());
  EXPECT_TRUE(done);
}

TEST(Worker, FirstFailureEndsEverything) {
  Worker worker(1 << 20);
  std::atomic<int> later = 0;
  ASSERT_TRUE(worker.post(0, [] { return ok(); }));
  (void)worker.post(0, []() -> Status { return Error{Code::kUnavailable, "disk full"}; });
  for (int i = 0; i < 50; ++i) {
    (void)worker.post(0, [&] {
      ++later;
      return ok();
    });
  }
  for (int i = 0; i < 2; ++i) {
    const Status drained = worker.drain();
    ASSERT_FALSE(drained);
    EXPECT_EQ(drained.error().code, Code::kUnavailable);
    EXPECT_EQ(drained.error().what, "disk full");
  }
  EXPECT_EQ(later, 0);
  const auto refused = worker.post(0, [] { return ok(); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what, "disk full");
}

TEST(Worker, AFailureWakesAPosterThatWaitsForMemory) {
  Worker worker(10);
  std::promise<void> gate;
  ASSERT_TRUE(worker.post(10, [&]() -> Status {
    gate.get_future().wait();
    return Error{Code::kCorrupt, "fault"};
  }));
  auto poster = std::async(std::launch::async, [&] {
    const auto posted = worker.post(10, [] { return ok(); });
    return posted ? std::string("posted") : posted.error().what;
  });
  gate.set_value();
  const std::string what = poster.get();
  EXPECT_TRUE(what == "posted" || what == "fault") << what;
  EXPECT_FALSE(worker.drain());
}

TEST(Worker, FreesWhatAJobKeptAliveWhenItIsDone) {
  Worker worker(1 << 20);
  auto kept = std::make_shared<int>(1);
  const std::weak_ptr<int> seen = kept;
  ASSERT_TRUE(worker.post(1, [kept = std::move(kept)] { return *kept == 1 ? ok() : ok(); }));
  ASSERT_TRUE(worker.drain());
  EXPECT_TRUE(seen.expired());
}

}  // namespace
}  // namespace aftune::trace
