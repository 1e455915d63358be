// SPDX-License-Identifier: Apache-2.0
// Runs whose optimizer moments wait in bf16 (docs/formats/training.md, "Moments in BF16"): honest
// ones, and providers that round or keep them otherwise than agreed.
#include <gtest/gtest.h>

#include "aftune/attack/gallery_run.h"
#include "aftune/numerics/engine.h"
#include "aftune/tensor/narrow.h"
#include "aftune/trace/inventory.h"
#include "expect_verdict.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

Terms in_halves(Terms terms) {
  terms.change = [change = terms.change](trace::Contract& c) {
    if (change) change(c);
    c.dtypes.moments = Dtype::kBF16;
  };
  return terms;
}

Terms with_adapters(Terms terms) {
  terms.change = [](trace::Contract& c) {
    c.adapter = trace::AdapterSpec{{2, 4, 0.25, false, {"q_proj", "v_proj"}, {}}, std::nullopt};
  };
  return terms;
}

const World& rounded() { return world(in_halves(fine())); }

TEST(NarrowMoments, HonestRunsAreAcceptedOnEveryMachine) {
  Terms sparse = fine(tied());
  sparse.edge_interval = 3;
  sparse.state_interval = 2;
  sparse.steps_per_block = 1;
  Terms nesterov = sgd(0.9);
  nesterov.training.optimizer.nesterov = true;
  const std::pair<const char*, Terms> variants[] = {
      {"one layer a block", fine()},
      {"states rebuilt", sparse},
      {"momentum", nesterov},
      {"adapters", with_adapters(fine(tied()))},
      {"images", fine(of_family(model::Family::kVit))},
  };
  for (const auto& [name, terms] : variants) {
    const World& w = world(in_halves(terms));
    const auto run = w.honest_run();
    for (const numerics::Isa isa : numerics::available_isas()) {
      ThreadPool pool(3);
      const auto machine = must(numerics::Engine::create(isa, pool));
      EXPECT_TRUE(accepted(must(audit::audit_run(w.all_blocks(run), machine))))
          << name << ", " << numerics::isa_name(isa);
    }
  }
}

TEST(NarrowMoments, TheGridChangesNoBitOfTheModel) {
  Terms coarse = untied();
  coarse.layers_per_block = 4;
  coarse.steps_per_block = 5;
  const auto weights = [](const Terms& terms) {
    const Path file = world(in_halves(terms)).honest_run().delivered() / "model.safetensors";
    return must(read_file(file, 1U << 30));
  };
  EXPECT_EQ(weights(fine()), weights(coarse));
  EXPECT_NE(
      weights(fine()),
      must(read_file(world(fine()).honest_run().delivered() / "model.safetensors", 1U << 30)));
}

TEST(NarrowMoments, AreStoredInTwoBytesAnElement) {
  const auto bytes = [](const World& w) {
    const trace::RunFolder run = w.honest_run();
    std::uint64_t sum = 0;
    for (const auto& tensor : trace::state_tensors(w.contract(), 0)) {
      sum += *element_count(tensor.spec.shape) * element_size(tensor.spec.dtype);
    }
    return sum;
  };
  EXPECT_EQ(3 * bytes(rounded()), 2 * bytes(world(fine())));
}

Lies after(std::uint64_t step, std::function<void(States&)> change) {
  Lies lies;
  lies.after_step = [step, change](std::uint64_t now, States& states) {
    if (now == step) change(states);
  };
  return lies;
}

TEST(NarrowMoments, T12OneBitOfAMomentIsFound) {
  const char* name = "model.layers.1.mlp.up_proj.weight";
  for (const bool second : {false, true}) {
    const Lies lies = after(3, [&](States& states) {
      TensorMap& moments = second ? states[1].second : states[1].first;
      moments.at(name).mutable_bytes()[10] ^= 1;
    });
    EXPECT_TRUE(rejected(caught(rounded(), lies), {"state", "layer block 1, step block 1", name}));
  }
}

TEST(NarrowMoments, T13RoundedByAnotherCounterIsFound) {
  Lies lies;
  lies.update = [](std::uint64_t step, train::TrainSpec& spec) {
    if (step == 2) spec.moment_key[0] ^= 1;
  };
  const audit::Verdict verdict = caught(rounded(), lies);
  EXPECT_TRUE(rejected(verdict, {"state", "layer block 0, step block 1", ""}));
}

TEST(NarrowMoments, T13ASecondMomentRoundedToNearestIsFound) {
  // What an update to nearest leaves behind, for one tensor of one step.
  Terms terms = in_halves(fine());
  const World& w = world(terms);
  std::vector<float> kept;
  Lies lies;
  const char* name = "model.layers.2.mlp.up_proj.weight";
  lies.before_step = [&](std::uint64_t step, States& states) {
    if (step != 1) return;
    kept.resize(states[2].second.at(name).count());
    widen(Dtype::kBF16, states[2].second.at(name).bytes(), kept);
  };
  lies.after_step = [&](std::uint64_t step, States& states) {
    if (step != 1) return;
    Tensor wide = Tensor::zeros(states[2].second.at(name).shape());
    std::copy(kept.begin(), kept.end(), wide.data());
    states[2].second.at(name) = round_to_bf16(wide);  // a thousandth more is no change
  };
  EXPECT_TRUE(rejected(caught(w, lies), {"state", "layer block 2, step block 0", name}));
}

TEST(NarrowMoments, T16WideMomentsUnderANarrowContractAreFound) {
  // States of two contracts that differ in the type of moments alone.
  const trace::Contract& contract = rounded().contract();
  trace::Contract wide = contract;
  wide.dtypes.moments = Dtype::kF32;
  const auto list =
      trace::StateList{{}, std::vector<Digest>(trace::state_tensors(contract, 0).size())};
  const std::string text = trace::encode_list(wide, 0, 1, list);
  EXPECT_TRUE(trace::decode_state_list(wide, 0, 1, text));
  EXPECT_FALSE(trace::decode_state_list(contract, 0, 1, text));
}

TEST(NarrowMoments, NoLieOfTheGalleryPasses) {
  const World& w = world(in_halves(untied()));
  const Path work = fresh_path("gallery");
  std::filesystem::create_directory(work);
  const auto report = must(attack::run_gallery(
      {w.contract(), w.honest_run(), {}, work, attack::Begin::kLastStates, {}, 1'800'000'000, {}},
      engine()));
  EXPECT_EQ(report.accepted(), 0U) << attack::gallery_text(report);
  for (const attack::LieOutcome& lie : report.lies) {
    EXPECT_EQ(lie.why_not, "") << lie.lie;
    EXPECT_TRUE(lie.caught()) << lie.lie << ": " << lie.cause;
  }
}

}  // namespace
}  // namespace aftune::liar
