// SPDX-License-Identifier: Apache-2.0
// The gallery of `aftune attack` on tiny runs: each lie is told and caught by the check that
// docs/attacks.md names, and a run that is told anew without a lie is accepted.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "aftune/attack/gallery_run.h"
#include "expect_verdict.h"
#include "finished_run.h"

namespace aftune::liar {
namespace {

using attack::Begin;
using attack::GalleryReport;
using attack::GalleryRequest;

constexpr std::int64_t kNow = 1'800'000'000;

/// Which check tells each lie, by its name; none: told only where there is room for it.
const std::map<std::string, std::string>& checks() {
  static const std::map<std::string, std::string> table = {
      {"another model swapped in", "activation"},
      {"under-training: every second step skipped", "state"},
      {"learning rate 0 behind the agreed list", "state"},
      {"optimizer constants other than agreed", "state"},
      {"a share of the norm that is not the gradient's", "norm"},
      {"clip factor that the norm does not give", "rule"},
      {"other rotary positions", "activation"},
      {"another norm epsilon", "activation"},
      {"another loss divisor", "loss"},
      {"a loss that the model does not give, last step", "loss"},
      {"data poisoning: one sample in ten", "activation"},
      {"labels changed", "loss"},
      {"labels masked", "loss"},
      {"rows cut to a few tokens", "activation"},
      {"an abort where the step does not abort", "abort"},
      {"delivered weights other than the last state", "delivery"},
      {"noise on an activation, every step", "activation"},
      {"one activation shown, another handed on", "activation"},
      {"gradient times -10", "gradient"},
      {"layers skipped, input copied", "activation"},
      {"one micro-batch forged, last step", "activation"},
      {"weights replaced inside a step block", "activation"},
      {"weights replaced after a step block", "state"},
      {"optimizer state reset between step blocks", "state"},
      {"activation perturbed by projected gradient descent", "activation"},
      {"rank-one weight edit that plants a backdoor", "state"},
      {"a tensor's digest left out", "list"},
      {"learning rate 0 that the list admits", "rule"},
      {"steps before the first state (warm-up)", "base"},
      {"other rows that the list admits", "data"},
      {"a loss that is no number", "list"},
      {"the same bytes under another shape", "list"},
      {"first optimizer state not zero", "base"},
      {"a file delivered that nobody agreed on", "delivery"},
      {"a close that binds another model", "model-root"},
      {"fewer steps than agreed", "entry"},
      {"two states of one step block exchanged", "entry"},
      {"a state opened for another step block", "model-root"},
      {"a run that never closes", "deadline"},
      {"one run shown for two contracts", "log"},
      {"a line added to the final checkpoint", "log"},
      {"a step's list not handed over", "missing"},
      {"the base not handed over", "missing"},
      {"one bit of a state flipped", "opening"},
      {"one bit of an edge flipped", "opening"},
      {"another chat template delivered", "delivery"},
  };
  return table;
}

Result<GalleryReport> shown(const World& w, Begin begin,
                            const std::vector<std::string>& only = {}) {
  const Path work = fresh_path("gallery");
  std::filesystem::create_directory(work);
  return attack::run_gallery({w.contract(), w.honest_run(), {}, work, begin, only, kNow, {}},
                             engine());
}

TEST(Gallery, EveryLieIsCaughtByItsCheck) {
  Terms terms = fine();
  terms.micro_batch = 3;
  const GalleryReport report = must(shown(world(terms), Begin::kLastStates));
  EXPECT_EQ(report.accepted(), 0U);
  EXPECT_EQ(report.from_step_block, 2U);
  std::set<std::string> told;
  for (const attack::LieOutcome& lie : report.lies) {
    EXPECT_EQ(lie.why_not, "") << lie.lie;
    EXPECT_TRUE(lie.caught()) << lie.lie << ": " << lie.cause;
    ASSERT_TRUE(checks().contains(lie.lie)) << lie.lie;
    EXPECT_EQ(lie.check, checks().at(lie.lie)) << lie.lie << ": " << lie.place << ": " << lie.cause;
    EXPECT_NE(lie.cause, "") << lie.lie;
    EXPECT_TRUE(told.insert(lie.lie).second) << "two lies are called " << lie.lie;
  }
  EXPECT_EQ(told.size(), checks().size());
}

TEST(Gallery, NoLiePassesInAnotherShape) {
  Terms sparse = tied();
  sparse.state_interval = 2;
  sparse.steps_per_block = 1;
  Terms whole = untied();
  whole.layers_per_block = 4;
  const std::pair<Terms, Begin> shapes[] = {
      {sparse, Begin::kLastStates}, {whole, Begin::kFirstStep}, {sgd(0), Begin::kLastStates}};
  for (const auto& [terms, begin] : shapes) {
    const GalleryReport report = must(shown(world(terms), begin));
    EXPECT_EQ(report.accepted(), 0U) << attack::gallery_text(report);
    EXPECT_EQ(report.lies.size(), checks().size());
  }
}

TEST(Gallery, SaysWhichLiesAContractLeavesNoRoomFor) {
  Terms whole = sgd(0);
  whole.layers_per_block = 4;  // untied: one segment, nothing is handed over
  const GalleryReport report = must(shown(world(whole), Begin::kLastStates));
  std::set<std::string> rows;
  for (const attack::LieOutcome& lie : report.lies) {
    if (!lie.why_not.empty()) rows.insert(lie.row);
  }
  rows.erase("T24");  // whether a random model can be made to give another answer is its own affair
  EXPECT_EQ(rows, (std::set<std::string>{"T1", "T12", "T17", "T2", "T25", "T26", "T28", "T35"}));
  EXPECT_EQ(report.accepted(), 0U);
}

TEST(Gallery, CountsTheBlocksWhoseReplayTells) {
  Terms terms = fine();
  terms.steps_per_block = 1;  // five step blocks of four layer blocks
  const GalleryReport report =
      must(shown(world(terms), Begin::kFirstStep, {"noise on an activation, every step"}));
  ASSERT_EQ(report.lies.size(), 1U);
  const attack::LieOutcome& lie = report.lies[0];
  EXPECT_EQ(report.blocks_total, 20U);
  EXPECT_EQ(lie.bad_blocks, 5U) << "layer block 1 of each step block";
  EXPECT_EQ(lie.place, "layer block 1, step block 0");
  EXPECT_FALSE(lie.without_replay);
  EXPECT_DOUBLE_EQ(attack::expected_draws(20, 5), 3.5);
}

TEST(Gallery, ATellingWithoutALieIsAccepted) {
  for (const bool is_tied : {false, true}) {
    Terms terms = is_tied ? tied() : fine();
    const World& w = world(terms);
    const attack::Twin twin =
        must(attack::take_over(w.contract(), w.honest_run(), {}, fresh_path("twin")));
    for (const std::uint64_t from : {0U, 1U, 2U}) {
      const attack::Ground ground{twin, engine(), from, {fresh_path("told")}};
      must(attack::copy_run(twin.run.root, ground.run.root));
      must(ground.retell({}));
      audit::AuditRequest request{twin.contract.contract, ground.run, {},   true, {}, 0,
                                  ground.run.delivered(), {},         kNow, {}};
      EXPECT_TRUE(accepted(must(audit::audit_run(request, engine())))) << from;
    }
  }
}

TEST(Gallery, TheTwinIsNobodyElsesEvidence) {
  // What is signed here does not hold under the contract that the two sides signed.
  const World& w = world(fine());
  const attack::Twin twin =
      must(attack::take_over(w.contract(), w.honest_run(), {}, fresh_path("twin")));
  EXPECT_NE(twin.contract.contract.digest(), w.contract().digest());
  EXPECT_TRUE(
      rejected_without_replay(w.audit_blocks(twin.run, {}), {"log", "log", w.contract().origin()}));
  EXPECT_TRUE(accepted(w.audit_all(w.honest_run()))) << "the run that was taken over is as it was";
}

TEST(Gallery, ARunThatIsItselfALieIsRefused) {
  const World& w = world(fine());
  FinishedRun run(w, w.copy_of_honest_run());
  run.edit_list(run.timeline().position_of_step(1),
                [](auto& list) { list["learning_rate"] = "0x1p-3"; });
  run.sign();
  const Path work = fresh_path("gallery");
  std::filesystem::create_directory(work);
  const GalleryRequest request{w.contract(),       run.folder(), {},   work,
                               Begin::kLastStates, {},           kNow, {}};
  const auto report = attack::run_gallery(request, engine());
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().what.find("the run itself is not accepted"), std::string::npos);
  EXPECT_NE(report.error().what.find("REJECT: [rule] step 1: learning rate"), std::string::npos)
      << report.error().what;
}

TEST(Gallery, AWordThatMeansNoLieIsRefusedBesideOneThatDoes) {
  const World& w = world(fine());
  const GalleryRequest request{w.contract(),       w.honest_run(), {},   fresh_path("gallery"),
                               Begin::kLastStates, {"T33", "T99"}, kNow, {}};
  const auto report = attack::run_gallery(request, engine());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().what, "no lie of the gallery is called T99");
}

TEST(Gallery, ARunThatIsNotClosedIsRefused) {
  const World& w = world(fine());
  FinishedRun run(w, w.copy_of_honest_run());
  run.entries.pop_back();
  run.sign();
  const auto twin = attack::take_over(w.contract(), run.folder(), {}, fresh_path("twin"));
  ASSERT_FALSE(twin);
  EXPECT_NE(twin.error().what.find("is not closed"), std::string::npos);
}

TEST(Gallery, AnAcceptedLieIsCounted) {
  GalleryReport report;
  report.blocks_total = 10;
  report.lies.resize(4);
  report.lies[0].verdict = audit::Outcome::kReject;
  report.lies[1].verdict = audit::Outcome::kAccept;
  report.lies[2].verdict = audit::Outcome::kInconclusive;
  report.lies[3].why_not = "no room";
  EXPECT_EQ(report.accepted(), 2U) << "not rejected is not caught";
  const auto json = attack::gallery_json(report);
  EXPECT_EQ(*json.find("accepted")->integer(), 2);
  EXPECT_EQ(json.find("lies")->array()->size(), 4U);
  for (const codec::Json& lie : *json.find("lies")->array()) {
    for (const char* member : {"lie", "verdict", "cause", "check", "seconds"}) {
      EXPECT_NE(lie.find(member), nullptr) << member;
    }
  }
  EXPECT_NE(attack::gallery_text(report).find("3 lies told, 2 accepted, 1 not told"),
            std::string::npos);
}

}  // namespace
}  // namespace aftune::liar
