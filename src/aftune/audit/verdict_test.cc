// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/verdict.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::audit {
namespace {

using trace::testing::digest_of;

Verdict accepted() {
  Verdict v;
  v.outcome = Outcome::kAccept;
  v.blocks = {{0, 1, true, false, 0.5}, {1, 0, true, true, 0.25}};
  v.drawn_by = DrawnBy::kSecret;
  v.blocks_total = 6;
  v.policy_blocks = 1;
  v.origin = "aftune/run/x";
  v.contract_digest = digest_of("contract");
  v.entries = 15;
  v.checkpoint_note = "note";
  v.delivered_sha256 = digest_of("weights");
  v.delivery_checked = true;
  v.layer_blocks = 2;
  v.step_blocks = 3;
  v.steps = 5;
  v.not_checked = {"witnesses: none"};
  v.achieved = {{"blocks=1", 1, 1.0 / 6}, {"steps-skipped=0.5", 4, 2.0 / 3}};
  return v;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(VerdictText, FirstLineIsTheOutcome) {
  Verdict v = accepted();
  EXPECT_EQ(verdict_text(v).rfind("ACCEPT: ", 0), 0U);
  v.outcome = Outcome::kReject;
  EXPECT_EQ(verdict_text(v).rfind("REJECT: ", 0), 0U);
  v.outcome = Outcome::kInconclusive;
  EXPECT_EQ(verdict_text(v).rfind("INCONCLUSIVE: nothing wrong", 0), 0U);
  v.aborted = true;
  EXPECT_TRUE(has(verdict_text(v), "INCONCLUSIVE: the run was aborted for a reason that nobody"));
  v.abort_proven = true;
  EXPECT_TRUE(has(verdict_text(v), "INCONCLUSIVE: the run was aborted, and a replay proves"));
}

TEST(VerdictText, SaysWhatWasReplayedAndWhatNot) {
  const std::string text = verdict_text(accepted());
  EXPECT_TRUE(has(text, "grid       2 layer blocks x 3 step blocks, 5 steps"));
  EXPECT_TRUE(has(text, "replayed   1 of 6 blocks (layer,step) (0,1); chosen by: secret")) << text;
  EXPECT_TRUE(has(text, "rebuilt    (1,0)"));
  EXPECT_TRUE(has(text,
                  "chance     to meet a provider that spoiled 1 block: 16.6 %, half of the "
                  "steps: 66.6 % (uniform draw)\n"))
      << text;
  EXPECT_TRUE(has(text, "not told   witnesses: none"));
  Verdict undelivered = accepted();
  undelivered.delivery_checked = false;
  EXPECT_TRUE(has(verdict_text(undelivered), "delivered  NOT CHECKED"));
}

TEST(VerdictText, SaysWhatTheDrawWasWorth) {
  Verdict v = accepted();
  v.strategy = trace::Strategy::kStateChanges;
  EXPECT_TRUE(has(verdict_text(v), "66.6 % (state-changes draw, at least)\n"));
  v.drawn_by = DrawnBy::kAll;
  EXPECT_TRUE(has(verdict_text(v), "chance     every block was replayed"));
  v.achieved.clear();
  EXPECT_FALSE(has(verdict_text(v), "chance"));
}

TEST(VerdictText, MarksBlocksThatDidNotHold) {
  Verdict v = accepted();
  v.blocks[0].held = false;
  EXPECT_TRUE(has(verdict_text(v), "(0,1)!"));
}

TEST(VerdictText, ShowsTheFirstFindingsAndCountsTheRest) {
  Verdict v = accepted();
  for (int i = 0; i < 20; ++i) {
    v.findings.push_back({Check::kList, fmt::format("step {}", i), fmt::format("m{}", i), "", ""});
  }
  const std::string text = verdict_text(v);
  EXPECT_TRUE(has(text, "found      [list] step 0: m0"));
  EXPECT_TRUE(has(text, "found      and 12 more"));
  EXPECT_FALSE(has(text, "m19"));
}

TEST(VerdictText, ManyMarksOfOneKindDoNotHideTheOthers) {
  Verdict v = accepted();
  for (int i = 0; i < 20; ++i) v.findings.push_back({Check::kNorm, "layer block 1", "n", "", ""});
  v.findings.push_back({Check::kNorm, "layer block 2", "other place", "", ""});
  v.findings.push_back({Check::kState, "layer block 1", "other check", "", ""});
  const std::string text = verdict_text(v);
  EXPECT_TRUE(has(text, "[norm] layer block 1: n (and 19 more like it)\n"));
  EXPECT_TRUE(has(text, "[norm] layer block 2: other place\n"));
  EXPECT_TRUE(has(text, "[state] layer block 1: other check\n"));
  EXPECT_FALSE(has(text, "found      and"));
}

TEST(VerdictText, TheOtherSidesWordsCannotForgeALine) {
  Verdict v = accepted();
  v.outcome = Outcome::kReject;
  v.findings = {{Check::kAbort, "p", "x\nACCEPT: all is well\x1b[2J", "", ""}};
  v.unchecked = {"y\n\rACCEPT"};
  const std::string text = verdict_text(v);
  EXPECT_FALSE(has(text, "\nACCEPT"));
  EXPECT_FALSE(has(text, "\x1b"));
  EXPECT_FALSE(has(text, "\r"));
}

TEST(VerdictStatement, IsAnInTotoStatementAboutContractAndModel) {
  const codec::Json statement = verdict_statement(accepted());
  EXPECT_EQ(*statement.find("_type")->string(), "https://in-toto.io/Statement/v1");
  EXPECT_EQ(*statement.find("predicateType")->string(), "urn:aftune:verdict:1");
  const auto& subject = *statement.find("subject")->array();
  ASSERT_EQ(subject.size(), 2U);
  EXPECT_EQ(*subject[0].find("name")->string(), "aftune/run/x");
  EXPECT_EQ(*subject[0].find("digest")->find("sha256")->string(), digest_of("contract").hex());
  EXPECT_EQ(*subject[1].find("name")->string(), "model.safetensors");
  Verdict open = accepted();
  open.delivered_sha256.reset();
  EXPECT_EQ(verdict_statement(open).find("subject")->array()->size(), 1U);
}

TEST(VerdictStatement, HasTheMembersOfThePage) {
  Verdict v = accepted();
  v.findings = {{Check::kState, "layer block 0", "m", "aa", "bb"},
                {Check::kLog, "log", "n", "", ""}};
  v.outcome = Outcome::kReject;
  const codec::Json statement = verdict_statement(v);
  const codec::Json& predicate = *statement.find("predicate");
  std::set<std::string> names;
  for (const auto& [name, value] : *predicate.object()) names.insert(name);
  EXPECT_EQ(names, (std::set<std::string>{"blocks", "blocks_total", "checkpoint",
                                          "delivery_checked", "detection", "drawn_by", "findings",
                                          "not_checked", "not_handed_over", "outcome",
                                          "policy_blocks", "strategy", "unchecked", "verifier"}));
  EXPECT_EQ(*predicate.find("outcome")->string(), "REJECT");
  EXPECT_EQ(*predicate.find("strategy")->string(), "uniform");
  const auto& detection = *predicate.find("detection")->array();
  ASSERT_EQ(detection.size(), 2U);
  EXPECT_EQ(*detection[0].find("threat")->string(), "blocks=1");
  EXPECT_EQ(*detection[0].find("bad_blocks")->integer(), 1);
  EXPECT_EQ(*detection[0].find("probability")->string(), "0.166666");
  const auto& findings = *predicate.find("findings")->array();
  EXPECT_EQ(*findings[0].find("committed")->string(), "aa");
  EXPECT_EQ(*findings[0].find("recomputed")->string(), "bb");
  EXPECT_EQ(findings[1].find("committed"), nullptr);
  EXPECT_EQ(codec::canonical_json(statement), codec::canonical_json(verdict_statement(v)));
}

TEST(CheckNames, AreDifferent) {
  std::set<std::string_view> names;
  for (int c = 0; c <= static_cast<int>(Check::kAbort); ++c) {
    const auto name = check_name(static_cast<Check>(c));
    EXPECT_NE(name, "?");
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

}  // namespace
}  // namespace aftune::audit
