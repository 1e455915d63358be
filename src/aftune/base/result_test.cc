// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "aftune/base/check.h"

namespace aftune {
namespace {

Error broken() { return {Code::kCorrupt, "leaf 9, tree has 8"}; }

Result<std::unique_ptr<int>> make(bool works) {
  if (!works) return broken();
  return std::make_unique<int>(7);
}

Status step(bool works) {
  if (!works) return broken();
  return ok();
}

Result<int> both(bool first, bool second, int& reached) {
  AFTUNE_TRY(step(first));
  reached = 1;
  AFTUNE_TRY(const std::unique_ptr<int> value, make(second));
  reached = 2;
  AFTUNE_TRY(auto again, make(second));
  return *value + *again;
}

int pick(int, int, int third) { return third; }

Result<int> with_commas() {
  AFTUNE_TRY(const int value, Result<int>(pick(1, 2, 3)));
  return value;
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_TRUE(make(true));
  EXPECT_EQ(**make(true), 7);
  const auto failed = make(false);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, Code::kCorrupt);
}

TEST(Result, TryTakesTheValue) {
  int reached = 0;
  const auto sum = both(true, true, reached);
  ASSERT_TRUE(sum);
  EXPECT_EQ(*sum, 14);
  EXPECT_EQ(*with_commas(), 3);
}

TEST(Result, TryLeavesAtTheFirstError) {
  int reached = 0;
  EXPECT_EQ(both(false, true, reached).error().what, "leaf 9, tree has 8");
  EXPECT_EQ(reached, 0);
  EXPECT_EQ(both(true, false, reached).error().code, Code::kCorrupt);
  EXPECT_EQ(reached, 1);
}

TEST(Result, InNamesTheOuterThingAndKeepsTheCode) {
  const Status failed = step(false).in("open store");
  EXPECT_EQ(failed.error().what, "open store: leaf 9, tree has 8");
  EXPECT_EQ(failed.error().code, Code::kCorrupt);
  EXPECT_TRUE(step(true).in("open store"));
  EXPECT_EQ(**make(true).in("value"), 7);
}

TEST(ResultDeathTest, CheckEndsTheProgramWithItsPlace) {
  EXPECT_DEATH(AFTUNE_CHECK(1 + 1 == 3, "sums differ"),
               "bug at .*result_test.cc:[0-9]+: sums differ \\(1 \\+ 1 == 3\\)");
  AFTUNE_CHECK(1 + 1 == 2, "not reached");
}

}  // namespace
}  // namespace aftune
