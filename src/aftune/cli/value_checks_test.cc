// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/value_checks.h"

#include <gtest/gtest.h>

namespace aftune::cli {
namespace {

TEST(ValueChecks, WholeNumbersAreDigitsThat64BitsHold) {
  for (const char* good : {"0", "7", "18446744073709551615"}) {
    EXPECT_EQ(check_whole_number(good), "") << good;
  }
  for (const char* bad :
       {"", "-1", "+1", " 1", "1 ", "1.5", "1e3", "0x1", "18446744073709551616"}) {
    EXPECT_NE(check_whole_number(bad), "") << bad;
  }
}

TEST(ValueChecks, FiniteNumbersAreNumbersAllThrough) {
  for (const char* good : {"0", "-1.5", "1e-3"}) EXPECT_EQ(check_finite(good), "") << good;
  for (const char* bad : {"", "nan", "-nan", "inf", "1e999", "1x", "warm"}) {
    EXPECT_NE(check_finite(bad), "") << bad;
  }
}

}  // namespace
}  // namespace aftune::cli
