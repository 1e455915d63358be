// SPDX-License-Identifier: Apache-2.0
#include "aftune/object/patience.h"

#include <gtest/gtest.h>

#include <vector>

namespace aftune::object {
namespace {

struct FakeTime {
  double at = 100;
  double chance = 1;
  std::vector<double> waits = {};

  Waiting waiting() {
    return {[this] { return at; },
            [this](double seconds) {
              waits.push_back(seconds);
              at += seconds;
            },
            [this] { return chance; }};
  }
};

TEST(Patience, DoublesItsWaitsUpToTheLongest) {
  FakeTime time;
  const Waiting waiting = time.waiting();
  Patience patience(waiting, 1000);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(patience.wait_again());
  const std::vector<double> expected = {0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20, 20, 20, 20};
  ASSERT_EQ(time.waits.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(time.waits[i], expected[i], 1e-9);
}

TEST(Patience, WaitsARandomShare) {
  FakeTime time;
  time.chance = 0.25;
  const Waiting waiting = time.waiting();
  Patience patience(waiting, 1000);
  ASSERT_TRUE(patience.wait_again());
  EXPECT_NEAR(time.waits.front(), 0.1, 1e-9);
}

TEST(Patience, EndsAfterItsTimeAndNotLater) {
  FakeTime time;
  const Waiting waiting = time.waiting();
  Patience patience(waiting, 10);
  while (patience.wait_again()) {
  }
  EXPECT_NEAR(time.at, 110, 1e-9);
  EXPECT_EQ(patience.failures(), time.waits.size() + 1);
}

TEST(Patience, OfNoTimeNeverWaits) {
  FakeTime time;
  const Waiting waiting = time.waiting();
  Patience patience(waiting, 0);
  EXPECT_FALSE(patience.wait_again());
  EXPECT_TRUE(time.waits.empty());
}

TEST(RealWaiting, GivesRandomSharesBelowOne) {
  const Waiting waiting = real_waiting();
  const double first = waiting.now();
  for (int i = 0; i < 100; ++i) {
    const double share = waiting.random();
    EXPECT_GE(share, 0);
    EXPECT_LT(share, 1);
  }
  waiting.wait(0);
  EXPECT_GE(waiting.now(), first);
}

}  // namespace
}  // namespace aftune::object
