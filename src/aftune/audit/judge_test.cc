// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/judge.h"

#include <gtest/gtest.h>

namespace aftune::audit {
namespace {

TEST(Judge, WeighsErrorsByWhoseFaultTheyCanBe) {
  const std::pair<Code, std::optional<Check>> table[] = {
      {Code::kUnavailable, std::nullopt},        {Code::kNotFound, Check::kMissing},
      {Code::kInvalidInput, Check::kActivation}, {Code::kCorrupt, Check::kActivation},
      {Code::kUnsupported, Check::kActivation},  {Code::kNonFinite, Check::kActivation}};
  for (const auto& [code, check] : table) {
    Verdict verdict;
    Judge judge(verdict);
    judge.weigh(Check::kActivation, "place", {code, "what"});
    EXPECT_EQ(judge.clean(), !check.has_value());
    if (check) {
      ASSERT_EQ(verdict.findings.size(), 1U);
      EXPECT_EQ(verdict.findings[0].check, *check);
      EXPECT_EQ(verdict.findings[0].place, "place");
      EXPECT_EQ(verdict.findings[0].message, "what");
    } else {
      ASSERT_EQ(verdict.unchecked.size(), 1U);
      EXPECT_EQ(verdict.unchecked[0], "place: what");
    }
  }
}

trace::Mismatch mismatch(trace::MismatchKind kind) {
  return {kind,
          2,
          1,
          7,
          "activation at edge 3",
          std::string(64, 'a'),
          std::string(64, 'b'),
          trace::ValueDifference{41, 3, 0.5F, 0.75F}};
}

TEST(Judge, TellsValuesOnlyWhereWeightsAreDisclosed) {
  for (const bool disclosed : {false, true}) {
    Verdict verdict;
    verdict.weights_disclosed = disclosed;
    Judge judge(verdict);
    judge.reject(mismatch(trace::MismatchKind::kActivation));
    ASSERT_EQ(verdict.findings.size(), 1U);
    const Finding& finding = verdict.findings[0];
    EXPECT_EQ(finding.place, "layer block 2, step block 1");
    EXPECT_EQ(finding.committed, std::string(64, 'a'));
    EXPECT_EQ(finding.recomputed, std::string(64, 'b'));
    EXPECT_EQ(finding.message.find("first at index 41: committed 0.5, recomputed 0.75") !=
                  std::string::npos,
              disclosed)
        << finding.message;
    EXPECT_EQ(finding.message.find("0.75") != std::string::npos, disclosed);
  }
}

TEST(Judge, NamesACauseForEachKindOfMismatch) {
  const std::pair<trace::MismatchKind, Check> table[] = {
      {trace::MismatchKind::kActivation, Check::kActivation},
      {trace::MismatchKind::kGradient, Check::kGradient},
      {trace::MismatchKind::kLoss, Check::kLoss},
      {trace::MismatchKind::kSquares, Check::kNorm},
      {trace::MismatchKind::kState, Check::kState},
      {trace::MismatchKind::kNonFinite, Check::kState}};
  std::vector<std::string> messages;
  for (const auto& [kind, check] : table) {
    Verdict verdict;
    Judge(verdict).reject(mismatch(kind));
    EXPECT_EQ(verdict.findings.at(0).check, check);
    EXPECT_TRUE(std::find(messages.begin(), messages.end(), verdict.findings[0].message) ==
                messages.end());
    messages.push_back(verdict.findings[0].message);
  }
}

}  // namespace
}  // namespace aftune::audit
