// SPDX-License-Identifier: Apache-2.0
// Lies told while training: the provider computes something else than agreed and commits to it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "aftune/numerics/loss.h"
#include "aftune/tlog/tiles.h"
#include "expect_verdict.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

using train::EdgeId;
using train::EdgeKind;

bool is(const EdgeId& id, EdgeKind kind, std::uint32_t edge) {
  return id.kind == kind && id.edge == edge;
}

TEST(TrainingLies, AProviderWithoutLiesMakesTheHonestLog) {
  for (const Terms& terms : {fine(), tied()}) {
    const World& w = world(terms);
    const auto key = w.contract().log_key();
    EXPECT_EQ(must(tlog::read_log(tell(w, {}).log(), key)).checkpoint,
              must(tlog::read_log(w.honest_run().log(), key)).checkpoint);
  }
}

TEST(TrainingLies, T1NoiseOnAnActivationAtEveryStep) {
  Lies lies;
  lies.edge = [](const EdgeId& id, Tensor& tensor) {
    if (is(id, EdgeKind::kActivation, 2)) add_noise(tensor);
  };
  const auto verdict = caught(world(fine()), lies);
  EXPECT_TRUE(rejected(verdict, {"activation", "layer block 1, step block 0",
                                 "activation at edge 2, step 0, micro-batch 0"}));
  EXPECT_EQ(verdict.findings.size(), world(fine()).contract().step_block_count());
}

TEST(TrainingLies, T1TheDrawnBlockFindsItAndOthersDoNot) {
  Lies lies;
  lies.edge = [](const EdgeId& id, Tensor& tensor) {
    if (is(id, EdgeKind::kActivation, 2) && id.step == 3) add_noise(tensor);
  };
  const World& w = world(fine());
  const auto run = tell(w, lies);
  EXPECT_TRUE(rejected(w.audit_blocks(run, {{1, 1}}),
                       {"activation", "layer block 1, step block 1", "edge 2, step 3"}));
  EXPECT_TRUE(inconclusive(w.audit_blocks(run, {{0, 1}, {2, 1}, {1, 0}}), "chosen by hand"));
}

TEST(TrainingLies, T2AGradientTimesMinusTen) {
  Lies lies;
  lies.edge = [](const EdgeId& id, Tensor& tensor) {
    if (!is(id, EdgeKind::kGradient, 3)) return;
    for (float& value : tensor.f32()) value *= -10;
  };
  EXPECT_TRUE(rejected(caught(world(fine()), lies),
                       {"gradient", "layer block 3, step block 0", "gradient at edge 3, step 0"}));
}

TEST(TrainingLies, AnEdgeShownOtherThanTheOneHandedOn) {
  Lies lies;
  lies.shown_edge = [](const EdgeId& id, Tensor& tensor) {
    if (is(id, EdgeKind::kActivation, 1) && id.step == 2) add_noise(tensor);
  };
  EXPECT_TRUE(rejected(caught(world(fine()), lies),
                       {"activation", "layer block 0, step block 1", "edge 1, step 2"}));
}

TEST(TrainingLies, T3WeightsReplacedInsideAStepBlockWhoseEndIsNotStored) {
  Terms terms = fine();
  terms.state_interval = 2;
  Lies lies;
  lies.before_step = [](std::uint64_t step, States& states) {
    if (step != 1) return;
    add_noise(states[2].parameters.at("model.layers.2.mlp.up_proj.weight"));
  };
  EXPECT_TRUE(rejected(caught(world(terms), lies),
                       {"activation", "layer block 2, step block 0", "edge 3, step 1"}));
}

TEST(TrainingLies, T3WeightsReplacedAfterTheLastUpdate) {
  Terms terms = fine();
  terms.state_interval = 2;
  Lies lies;
  lies.after_step = [](std::uint64_t step, States& states) {
    if (step == 1) states[2].parameters.at("model.layers.2.mlp.up_proj.weight").f32()[5] = 7;
  };
  EXPECT_TRUE(rejected(caught(world(terms), lies),
                       {"state", "layer block 2, step block 0",
                        "parameter model.layers.2.mlp.up_proj.weight of state of layer block 2 at "
                        "step block 1"}));
}

TEST(TrainingLies, T24ASmallLowRankEditOfOneState) {
  Lies lies;
  lies.after_step = [](std::uint64_t step, States& states) {
    if (step != 3) return;
    Tensor& weight = states[1].parameters.at("model.layers.1.self_attn.o_proj.weight");
    const auto columns = weight.shape()[1];
    for (std::size_t i = 0; i < weight.f32().size(); ++i) {
      weight.f32()[i] +=
          0x1p-20F * static_cast<float>(i / columns + 1) * static_cast<float>(i % columns + 1);
    }
  };
  const auto verdict = caught(world(fine()), lies);
  EXPECT_TRUE(rejected(verdict, {"state", "layer block 1, step block 1", "o_proj.weight"}));
  EXPECT_EQ(verdict.findings.size(), 1U);
}

TEST(TrainingLies, T6AnotherLearningRateBehindTheAgreedList) {
  Terms terms = fine();
  terms.steps_per_block = 1;
  for (const double rate : {0.0, 9e-3}) {
    Lies lies;
    lies.update = [rate](std::uint64_t, train::TrainSpec& spec) { spec.schedule.peak = rate; };
    EXPECT_TRUE(rejected(caught(world(terms), lies),
                         {"state", "layer block 0, step block 0", "parameter model."}));
  }
}

TEST(TrainingLies, T6AnotherLearningRateThatTheListAdmits) {
  Lies lies;
  lies.update = [](std::uint64_t, train::TrainSpec& spec) { spec.schedule.peak = 0; };
  lies.claim = [](std::uint64_t, train::StepOutcome& outcome, auto&, auto&) {
    outcome.learning_rate = 0;
  };
  const World& w = world(fine());
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(tell(w, lies), {}),
                                      {"rule", "step 0", "learning rate 0 is committed"}));
}

void reset_moments(train::BlockState& state) {
  for (auto& [name, tensor] : state.first) tensor.clear();
}

TEST(TrainingLies, T12OptimizerStateResetInTheCommittedState) {
  Lies lies;
  lies.after_step = [](std::uint64_t step, States& states) {
    if (step == 1) reset_moments(states[3]);
  };
  EXPECT_TRUE(rejected(caught(world(fine()), lies),
                       {"state", "layer block 3, step block 0", "first lm_head.weight"}));
}

TEST(TrainingLies, T12OptimizerStateResetBehindTheCommittedState) {
  Lies lies;
  lies.before_step = [](std::uint64_t step, States& states) {
    if (step == 2) reset_moments(states[3]);
  };
  EXPECT_TRUE(rejected(caught(world(fine()), lies),
                       {"loss", "layer block 3, step block 1", "loss of step 3"}));
  Terms terms = fine();
  terms.steps_per_block = 1;
  EXPECT_TRUE(rejected(caught(world(terms), lies),
                       {"state", "layer block 3, step block 2", "of state of layer block 3"}));
}

TEST(TrainingLies, T13OptimizerConstantsOtherThanAgreed) {
  struct Case {
    const char* names;
    std::function<void(train::OptimizerSpec&)> change;
  };
  const Case cases[] = {
      {"first model.", [](auto& o) { o.beta1 = 0.8; }},
      {"second model.", [](auto& o) { o.beta2 = 0.99; }},
      {"parameter model.", [](auto& o) { o.epsilon = 1e-6; }},
      {"parameter model.", [](auto& o) { o.weight_decay = 0; }},
  };
  for (const Case& c : cases) {
    Lies lies;
    lies.update = [&](std::uint64_t, train::TrainSpec& spec) { c.change(spec.optimizer); };
    const auto verdict = caught(world(fine()), lies);
    ASSERT_EQ(verdict.outcome, audit::Outcome::kReject) << c.names;
    bool named = false;
    for (const auto& finding : verdict.findings) {
      named = named || (finding.check == audit::Check::kState &&
                        finding.message.find(c.names) != std::string::npos);
    }
    EXPECT_TRUE(named) << c.names << audit::verdict_text(verdict);
  }
}

TEST(TrainingLies, T13MomentumOtherThanAgreed) {
  Lies lies;
  lies.update = [](std::uint64_t, train::TrainSpec& spec) { spec.optimizer.momentum = 0.5; };
  EXPECT_TRUE(rejected(caught(world(fine(sgd(0.9))), lies),
                       {"state", "layer block 0, step block 0", "of state of layer block 0"}));
}

TEST(TrainingLies, T13NesterovAndDecayOfNormsOtherThanAgreed) {
  Terms terms = fine(sgd(0.9));
  terms.training.optimizer.nesterov = true;
  terms.training.optimizer.decayed = train::Decayed::kWeights;
  terms.training.optimizer.weight_decay = 0.1;
  const World& w = world(terms);
  Lies plain, decayed;
  plain.update = [](std::uint64_t, train::TrainSpec& spec) { spec.optimizer.nesterov = false; };
  EXPECT_TRUE(rejected(caught(w, plain), {"state", "layer block 0, step block 0"}));
  decayed.update = [](std::uint64_t, train::TrainSpec& spec) {
    spec.optimizer.decayed = train::Decayed::kAll;
  };
  EXPECT_TRUE(rejected(caught(w, decayed), {"state", "layer block 0, step block 0", "norm"}));
}

TEST(TrainingLies, T14ClipFactorThatTheNormDoesNotGive) {
  Lies lies;
  lies.clip = [](std::uint64_t, train::StepOutcome& outcome) { outcome.clip = 1; };
  const World& w = world(fine());
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(tell(w, lies), {}),
                                      {"rule", "step 0", "clip factor 1 is committed"}));
}

TEST(TrainingLies, T14NormThatItsSharesDoNotGive) {
  Lies lies;
  lies.claim = [](std::uint64_t, train::StepOutcome& outcome, auto&, auto&) { outcome.norm *= 2; };
  const World& w = world(fine());
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(tell(w, lies), {}),
                                      {"rule", "step 0", "gradient norm"}));
}

TEST(TrainingLies, T14AShareOfTheNormThatIsNotTheGradients) {
  Lies lies;
  lies.squares = [](std::uint64_t, train::GradientSquares& squares) {
    squares.at("model.layers.2.mlp.down_proj.weight") *= 4;
  };
  EXPECT_TRUE(rejected(caught(world(fine()), lies),
                       {"norm", "layer block 2, step block 0",
                        "gradient of model.layers.2.mlp.down_proj.weight, step 0"}));
}

TEST(TrainingLies, T26SkippedLayersCopyTheirInput) {
  Lies lies;
  lies.skipped = {2};
  EXPECT_TRUE(rejected(caught(world(fine()), lies),
                       {"activation", "layer block 2, step block 0", "edge 3, step 0"}));
}

TEST(TrainingLies, T28AFirstMomentThatIsNotZero) {
  const World& w = world(fine());
  Lies first;
  first.start = [](States& states) {
    states[1].first.at("model.layers.1.mlp.up_proj.weight").f32()[0] = 1;
  };
  EXPECT_TRUE(rejected_without_replay(
      w.audit_blocks(tell(w, first), {}),
      {"base", "layer block 1, first state",
       "the first moment of model.layers.1.mlp.up_proj.weight does not start at zero"}));
  Lies second;
  second.start = [](States& states) {
    for (float& value : states[0].second.at("model.embed_tokens.weight").f32()) value = 1e30F;
  };
  EXPECT_TRUE(rejected_without_replay(
      w.audit_blocks(tell(w, second), {}),
      {"base", "layer block 0, first state", "the second moment of model.embed_tokens.weight"}));
}

TEST(TrainingLies, T28AMinusZeroIsNotZero) {
  const World& w = world(fine());
  Lies lies;
  lies.start = [](States& states) { states[0].first.begin()->second.f32()[0] = -0.0F; };
  EXPECT_TRUE(rejected(w.audit_all(tell(w, lies)),
                       {"base", "layer block 0, first state", "does not start at zero"}));
}

TEST(TrainingLies, T9ABaseEditedBeforeTheFirstStep) {
  const World& w = world(fine());
  Lies lies;
  lies.start = [](States& states) {
    states[0].parameters.at("model.layers.0.mlp.up_proj.weight").f32()[0] += 1;
  };
  EXPECT_TRUE(rejected_without_replay(w.audit_blocks(tell(w, lies), {}),
                                      {"base", "first state", "the contract's base has"}));
}

TEST(TrainingLies, T35AnEdgeInsideATiedBlock) {
  for (const std::uint32_t layers : {4U, 2U}) {
    Terms terms = tied();
    terms.layers_per_block = layers;  // 4: one block of two segments
    const std::uint32_t last = layers == 4 ? 1 : 2;
    Lies activation;
    activation.edge = [last](const EdgeId& id, Tensor& tensor) {
      if (is(id, EdgeKind::kActivation, last)) add_noise(tensor);
    };
    const std::string maker =
        layers == 4 ? "layer block 0, step block 0" : "layer block 1, step block 0";
    EXPECT_TRUE(rejected(caught(world(terms), activation),
                         {"activation", maker, fmt::format("activation at edge {}", last)}));
    Lies gradient;
    gradient.edge = [last](const EdgeId& id, Tensor& tensor) {
      if (is(id, EdgeKind::kGradient, last)) add_noise(tensor);
    };
    EXPECT_TRUE(rejected(
        caught(world(terms), gradient),
        {"gradient", "layer block 0, step block 0", fmt::format("gradient at edge {}", last)}));
  }
}

TEST(TrainingLies, T35OneMicroBatchOfSeveral) {
  Terms terms = fine();
  terms.micro_batch = 3;  // 3 rows and 1
  Lies lies;
  lies.edge = [](const EdgeId& id, Tensor& tensor) {
    if (is(id, EdgeKind::kActivation, 3) && id.micro_batch == 1 && id.step == 3) add_noise(tensor);
  };
  const auto verdict = caught(world(terms), lies);
  EXPECT_TRUE(rejected(verdict, {"activation", "layer block 2, step block 1",
                                 "activation at edge 3, step 3, micro-batch 1"}));
  EXPECT_EQ(verdict.findings.size(), 1U);
}

TEST(TrainingLies, T23ATiedHeadThatDropsItsShareOfTheGradient) {
  // The head's share of the embedding gradient is scaled away by a forged gradient at the head's
  // edge: the head's segment finds it, although block 0's first segment is consistent.
  Lies lies;
  lies.edge = [](const EdgeId& id, Tensor& tensor) {
    if (is(id, EdgeKind::kGradient, 2)) tensor.clear();
  };
  EXPECT_TRUE(rejected(caught(world(tied()), lies),
                       {"gradient", "layer block 0, step block 0", "gradient at edge 2, step 0"}));
}

TEST(TrainingLies, T34ARebuiltStateThatDiffersNamesTheRebuiltBlock) {
  Terms terms = fine();
  terms.state_interval = 2;
  const World& w = world(terms);
  w.honest_run();
  Lies lies;
  lies.after_step = [](std::uint64_t step, States& states) {
    if (step == 1) states[1].parameters.begin()->second.f32()[0] += 0x1p-10F;
  };
  const auto run = tell(w, lies);
  const auto verdict = w.audit_blocks(run, {{1, 1}});
  EXPECT_TRUE(rejected(verdict, {"state", "layer block 1, step block 0",
                                 "of state of layer block 1 at step block 1"}));
  ASSERT_EQ(verdict.blocks.size(), 1U) << "the audit must not go on from a rebuilt state";
  EXPECT_TRUE(verdict.blocks[0].rebuilt_only);
  EXPECT_NE(audit::verdict_text(verdict).find("rebuilt    (1,0)!"), std::string::npos);
  EXPECT_TRUE(inconclusive(w.audit_blocks(run, {{0, 1}}), "chosen by hand")) << "another block";
}

TEST(TrainingLies, T31AnAbortThatDoesNotAbort) {
  const World& w = world(fine());
  Lies lies;
  lies.abort = {3, "non-finite", "step 3: micro-batch 0: segment 1: non-finite value"};
  EXPECT_TRUE(
      rejected(w.audit_all(tell(w, lies)), {"abort", "abort at step 3", "the step ends well"}));
  lies.abort->cause = "fault";
  EXPECT_TRUE(inconclusive(w.audit_all(tell(w, lies)), "its machine had a fault at step 3"));
}

}  // namespace
}  // namespace aftune::liar
