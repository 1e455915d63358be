// SPDX-License-Identifier: Apache-2.0
// What `aftune plan` says of a threat, against providers that carry it out: which blocks are bad,
// and how often a real audit of the contract's draw meets one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "aftune/audit/threat.h"
#include "aftune/base/hex.h"
#include "expect_verdict.h"
#include "finished_run.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

using trace::Strategy;

/// 4 layer blocks of one layer, 3 step blocks of 2, 2 and 1 steps; 4 blocks are drawn.
Terms terms_of(Strategy strategy, unsigned char run = 1) {
  Terms terms = fine();
  terms.run = run;
  terms.change = [strategy](trace::Contract& contract) {
    contract.audit.strategy = strategy;
    contract.audit.blocks = 4;
  };
  return terms;
}

/// A lie, and the threat that counts it.
struct Told {
  const char* threat;
  Lies lies;
};

std::vector<Told> threats_carried_out() {
  std::vector<Told> out;
  Lies edited;
  edited.after_step = [](std::uint64_t step, States& states) {
    if (step == 1) add_noise(states[2].parameters.begin()->second);
  };
  out.push_back({"edited-state=1", edited});
  Lies handed;
  handed.edge = [](const train::EdgeId& id, Tensor& tensor) {
    if (id.step == 3 && id.edge == 2 && id.kind == train::EdgeKind::kActivation) add_noise(tensor);
  };
  out.push_back({"activation=1", handed});
  Lies skipped;
  skipped.update = [](std::uint64_t step, train::TrainSpec& spec) {
    if (step < 2) spec.schedule.peak = 0;
  };
  out.push_back({"steps-skipped=0.4", skipped});
  Lies poisoned;
  poisoned.batches = [](std::uint64_t step, std::vector<model::MicroBatch>& batches) {
    if (step == 2 || step == 3) batches[0].tokens[0] ^= 1;
  };
  out.push_back({"samples-poisoned=0.4", poisoned});
  Lies replaced;
  replaced.skipped = {2};
  out.push_back({"layers-replaced=1", replaced});
  Lies swapped;
  swapped.after_step = [](std::uint64_t step, States& states) {
    if (step != 1) return;
    for (train::BlockState& state : states) add_noise(state.parameters.begin()->second);
  };
  out.push_back({"model-swapped", swapped});
  Lies everywhere;
  everywhere.update = [](std::uint64_t, train::TrainSpec& spec) { spec.optimizer.beta1 = 0.8; };
  out.push_back({"everywhere", everywhere});
  return out;
}

audit::BadBlocks told_of(const char* threat, const World& w) {
  return must(audit::bad_blocks(must(audit::parse_threat(threat)), audit::plan_grid(w.contract())));
}

/// The blocks that do not hold in an audit of all of them.
std::vector<audit::BlockIndex> bad_in(const audit::Verdict& verdict) {
  std::vector<audit::BlockIndex> out;
  for (const audit::ReplayedBlock& block : verdict.blocks) {
    if (!block.held) out.push_back({block.layer_block, block.step_block});
  }
  return out;
}

TEST(PlannedDraws, AThreatCarriedOutMakesAsManyBlocksBadAsThePlanSays) {
  const World& w = world(terms_of(Strategy::kUniform));
  for (const Told& told : threats_carried_out()) {
    const audit::Verdict verdict = caught(w, told.lies);
    EXPECT_EQ(verdict.blocks.size(), w.contract().block_count()) << told.threat;
    EXPECT_EQ(bad_in(verdict).size(), audit::count_of(told_of(told.threat, w))) << told.threat;
  }
}

TEST(PlannedDraws, PoisonedInputsAreBadInTheFirstLayerBlockOnly) {
  const World& w = world(terms_of(Strategy::kUniform));
  const Told poisoned = threats_carried_out()[3];
  EXPECT_EQ(bad_in(caught(w, poisoned.lies)), (std::vector<audit::BlockIndex>{{0, 1}}));
}

TEST(PlannedDraws, TheVerdictSaysWhatItsDrawWasWorth) {
  for (const Strategy strategy : {Strategy::kUniform, Strategy::kStratified, Strategy::kInputBlocks,
                                  Strategy::kStateChanges}) {
    const World& w = world(terms_of(strategy));
    const auto verdict = w.audit_drawn(w.honest_run(), w.fresh_secret());
    EXPECT_TRUE(accepted(verdict));
    EXPECT_EQ(verdict.strategy, strategy);
    ASSERT_EQ(verdict.achieved.size(), 3U);
    const audit::BadBlocks one = told_of("blocks=1", w);
    EXPECT_EQ(verdict.achieved[0].probability, 1 - audit::missed_probability(strategy, 3, one, 4));
    const audit::Verdict all = w.audit_all(w.honest_run());
    EXPECT_EQ(all.achieved.at(0).probability, 1.0);
  }
}

TEST(PlannedDraws, AVerdictOfBlocksByHandOrOfALieClaimsNothing) {
  const World& w = world(terms_of(Strategy::kUniform));
  EXPECT_TRUE(w.audit_blocks(w.honest_run(), {{0, 0}, {1, 1}}).achieved.empty());
  EXPECT_TRUE(caught(w, threats_carried_out()[0].lies).achieved.empty());
}

TEST(PlannedDraws, WithoutAStepsListStateChangesDrawsNothing) {
  const World& w = world(terms_of(Strategy::kStateChanges));
  const trace::RunFolder run = w.copy_of_honest_run();
  const FinishedRun finished(w, run);
  std::filesystem::remove(
      finished.object(finished.list_digest(finished.timeline().position_of_step(2))));
  const auto verdict = w.audit_drawn(run, w.fresh_secret());
  EXPECT_TRUE(rejected_without_replay(verdict, {"missing", "step 2", ""}));
  const bool told = std::any_of(
      verdict.unchecked.begin(), verdict.unchecked.end(),
      [](const auto& text) { return text.find("the draw hangs on") != std::string::npos; });
  EXPECT_TRUE(told) << audit::verdict_text(verdict);
}

/// Runs to tell each lie in: each has another contract, so another draw.
int seeds() {
  const char* text = std::getenv("AFTUNE_PLANNED_SEEDS");
  return text != nullptr ? std::atoi(text) : 3;
}

TEST(PlannedDraws, RealAuditsMeetALieAsOftenAsPlanned) {
  const auto lies = threats_carried_out();
  for (const std::size_t which : {0U, 2U}) {  // one block; a whole step block
    for (const Strategy strategy : {Strategy::kUniform, Strategy::kStratified,
                                    Strategy::kInputBlocks, Strategy::kStateChanges}) {
      double expected = 0;
      int met = 0;
      for (int seed = 0; seed < seeds(); ++seed) {
        const World w(terms_of(strategy, static_cast<unsigned char>(10 + seed)));
        const trace::RunFolder run = tell(w, lies[which].lies);
        const auto all = bad_in(w.audit_all(run));
        const auto verdict = w.audit_drawn(run, w.fresh_secret());
        const auto found = bad_in(verdict);
        EXPECT_TRUE(std::includes(all.begin(), all.end(), found.begin(), found.end()));
        EXPECT_EQ(verdict.blocks.size(), 4U);
        const audit::Outcome outcome =
            found.empty() ? audit::Outcome::kAccept : audit::Outcome::kReject;
        EXPECT_EQ(verdict.outcome, outcome) << audit::verdict_text(verdict);
        met += !found.empty();
        audit::BadBlocks bad(4, 0);
        for (const audit::BlockIndex& block : all) ++bad[block.layer_block];
        expected += 1 - audit::missed_probability(strategy, 3, bad, 4);
        std::filesystem::remove_all(run.root);
      }
      const double slack = 2 * std::sqrt(seeds()) + 1e-9;  // four deviations at most
      EXPECT_GE(met, expected - slack) << strategy_name(strategy) << " " << lies[which].threat;
      if (strategy == Strategy::kStateChanges) continue;  // its plan is a bound
      EXPECT_LE(met, expected + slack) << strategy_name(strategy) << " " << lies[which].threat;
      RecordProperty(std::string(strategy_name(strategy)) + " " + lies[which].threat, met);
    }
  }
}

}  // namespace
}  // namespace aftune::liar
