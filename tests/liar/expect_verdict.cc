// SPDX-License-Identifier: Apache-2.0
#include "expect_verdict.h"

#include <algorithm>

namespace aftune::liar {
namespace {

::testing::AssertionResult failure(const audit::Verdict& verdict) {
  return ::testing::AssertionFailure() << audit::verdict_text(verdict);
}

bool is(const audit::Finding& finding, const Cause& cause) {
  return audit::check_name(finding.check) == cause.check && finding.place == cause.place &&
         finding.message.find(cause.names) != std::string::npos;
}

}  // namespace

::testing::AssertionResult accepted(const audit::Verdict& verdict) {
  if (verdict.outcome == audit::Outcome::kAccept) return ::testing::AssertionSuccess();
  return failure(verdict) << "  expected ACCEPT";
}

::testing::AssertionResult inconclusive(const audit::Verdict& verdict, const std::string& names) {
  const bool named =
      std::any_of(verdict.unchecked.begin(), verdict.unchecked.end(),
                  [&](const auto& text) { return text.find(names) != std::string::npos; });
  if (verdict.outcome == audit::Outcome::kInconclusive && named) {
    return ::testing::AssertionSuccess();
  }
  return failure(verdict) << "  expected INCONCLUSIVE: " << names;
}

::testing::AssertionResult rejected(const audit::Verdict& verdict, const Cause& cause) {
  if (verdict.outcome == audit::Outcome::kReject && is(verdict.findings.front(), cause)) {
    return ::testing::AssertionSuccess();
  }
  return failure(verdict) << "  expected first [" << cause.check << "] " << cause.place << ": ... "
                          << cause.names << " ...";
}

::testing::AssertionResult rejected_without_replay(const audit::Verdict& verdict,
                                                   const Cause& cause) {
  if (!verdict.blocks.empty()) return failure(verdict) << "  expected no replay";
  return rejected(verdict, cause);
}

}  // namespace aftune::liar
