// SPDX-License-Identifier: Apache-2.0
// What a test expects of a verdict: the outcome, and of a REJECT its cause.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "aftune/audit/verdict.h"

namespace aftune::liar {

/// The first finding of a REJECT: its check, its place, and what its message must name.
struct Cause {
  std::string check, place, names = {};
};

::testing::AssertionResult accepted(const audit::Verdict& verdict);
::testing::AssertionResult inconclusive(const audit::Verdict& verdict, const std::string& names);
/// REJECT, and the first finding is `cause`.
::testing::AssertionResult rejected(const audit::Verdict& verdict, const Cause& cause);
/// As rejected, and nothing was replayed to know it.
::testing::AssertionResult rejected_without_replay(const audit::Verdict& verdict,
                                                   const Cause& cause);

}  // namespace aftune::liar
