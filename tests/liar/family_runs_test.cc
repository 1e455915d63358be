// SPDX-License-Identifier: Apache-2.0
// Every family of models through the whole system: a recorded run is audited in all blocks and
// accepted, and lies about what a family has of its own are found.
#include <gtest/gtest.h>

#include "expect_verdict.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

using model::Family;

class EachFamilyRun : public ::testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(FamilyRuns, EachFamilyRun,
                         ::testing::Values(Family::kLlama, Family::kMistral, Family::kQwen2,
                                           Family::kQwen3),
                         [](const auto& p) { return std::string(model::traits_of(p.param).name); });

TEST_P(EachFamilyRun, IsAcceptedInAllBlocksOnOtherMachines) {
  Terms terms = of_family(GetParam());
  terms.scaled_rope = true;
  const World& w = world(terms);
  const trace::RunFolder run = w.honest_run();
  for (const numerics::Isa isa : numerics::available_isas()) {
    ThreadPool pool(2);
    const auto verdict =
        must(audit::audit_run(w.all_blocks(run), must(numerics::Engine::create(isa, pool))));
    EXPECT_TRUE(accepted(verdict)) << numerics::isa_name(isa);
  }
}

TEST(FamilyRuns, T3ABiasHeldBackIsFound) {
  const World& w = world(fine(of_family(Family::kQwen2)));
  Lies lies;
  lies.after_step = [](std::uint64_t, States& states) {
    states[1].parameters.at("model.layers.1.self_attn.v_proj.bias").clear();
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"activation", "layer block 1, step block 0", "edge 2"}));
}

TEST(FamilyRuns, T24AHeadsNormEditedInOneStateIsFound) {
  const World& w = world(fine(of_family(Family::kQwen3)));
  Lies lies;
  lies.after_step = [](std::uint64_t step, States& states) {
    if (step == 3) states[2].parameters.at("model.layers.2.self_attn.k_norm.weight").f32()[1] += 1;
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"state", "layer block 2, step block 1",
                                         "model.layers.2.self_attn.k_norm.weight"}));
}

TEST(FamilyRuns, FrequenciesNotScaledAsAgreedAreFound) {
  Terms terms = fine();
  terms.scaled_rope = true;
  const World& w = world(terms);
  Lies lies;
  lies.model = [](model::Llama& llama) {
    llama.config.rope_scaling.reset();
    llama.inv_freq = model::make_inv_freq(llama.config);
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"activation", "layer block 0, step block 0", "edge 1"}));
}

TEST(FamilyRuns, ASequenceAboveTheWindowIsNoContract) {
  trace::Contract contract = world(of_family(Family::kMistral)).contract();
  ASSERT_EQ(contract.architecture.sliding_window, 32U);
  contract.text.sequence = 32;
  EXPECT_TRUE(trace::Contract::parse(contract.payload()));
  contract.text.sequence = 33;
  const auto got = trace::Contract::parse(contract.payload());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().what, "contract.text.sequence is 33, the model has 32 positions");
}

}  // namespace
}  // namespace aftune::liar
