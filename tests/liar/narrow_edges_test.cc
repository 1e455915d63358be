// SPDX-License-Identifier: Apache-2.0
// Runs whose edges are rounded to bf16 (docs/formats/training.md, "Edges in BF16"): honest ones,
// and providers that round otherwise than agreed.
#include <gtest/gtest.h>

#include <cstring>

#include "aftune/tensor/narrow.h"
#include "aftune/tlog/tiles.h"
#include "aftune/trace/inventory.h"
#include "aftune/trace/trainer.h"
#include "expect_verdict.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

using train::EdgeId;
using train::EdgeKind;

Terms narrow(Terms terms) {
  terms.change = [change = terms.change](trace::Contract& c) {
    if (change) change(c);
    c.dtypes.boundary = Dtype::kBF16;
  };
  return terms;
}

Terms adapted(Terms terms) {
  terms.change = [](trace::Contract& c) {
    c.adapter = trace::AdapterSpec{{2, 4, 0.25, false, {"q_proj", "v_proj"}, {}}, std::nullopt};
  };
  return terms;
}

ByteBuffer weights_of(const Terms& terms) {
  const Path file = world(terms).honest_run().delivered() / "model.safetensors";
  return must(read_file(file, 1U << 30));
}

TEST(NarrowEdges, HonestRunsAreAccepted) {
  Terms sparse = fine(tied());
  sparse.edge_interval = 3;
  sparse.state_interval = 2;
  sparse.steps_per_block = 1;
  Terms ragged = tied();
  ragged.layers_per_block = 3;
  ragged.micro_batch = 3;
  const std::pair<const char*, Terms> variants[] = {
      {"untied, one layer a block", fine()}, {"tied, ragged, two micro-batches", ragged},
      {"edges and states rebuilt", sparse},  {"momentum", sgd(0.9)},
      {"adapters", adapted(fine(tied()))},
  };
  for (const auto& [name, terms] : variants) {
    const World& w = world(narrow(terms));
    const auto run = w.honest_run();
    EXPECT_TRUE(accepted(w.audit_all(run))) << name;
    EXPECT_TRUE(accepted(w.audit_drawn(run, w.fresh_secret()))) << name;
  }
}

TEST(NarrowEdges, AreStoredInTwoBytesAnElement) {
  const World& w = world(narrow(fine()));
  const auto stats = [](const World& of) {
    const auto log = must(tlog::read_log(of.honest_run().log(), of.contract().log_key()));
    const auto inventory = must(trace::take_inventory(of.contract(), log.entries, of.honest_run()));
    return must(trace::component_stats(inventory, of.honest_run()));
  };
  const auto two = stats(w), four = stats(world(fine()));
  for (const auto component : {trace::Component::kActivations, trace::Component::kGradients}) {
    const auto i = static_cast<std::size_t>(component);
    EXPECT_EQ(2 * two[i].bytes, four[i].bytes);
    EXPECT_EQ(two[i].objects, four[i].objects);
  }
}

TEST(NarrowEdges, RoundingAndItsPlacesArePartOfTheComputation) {
  const ByteBuffer one = weights_of(narrow(fine()));
  EXPECT_NE(one, weights_of(fine())) << "rounded or not";
  Terms two_layers = fine();
  two_layers.layers_per_block = 2;
  EXPECT_NE(one, weights_of(narrow(two_layers))) << "another B_L";
  Terms other = fine();
  other.steps_per_block = 1;
  other.state_interval = 3;
  other.edge_interval = 2;
  EXPECT_EQ(one, weights_of(narrow(other))) << "B_S, I_C and I_A round nothing";
  Terms no_line = untied();
  no_line.layers_per_block = no_line.layers;
  EXPECT_EQ(weights_of(narrow(no_line)), weights_of(no_line)) << "no edge, no rounding";
}

TEST(NarrowEdges, RecordedOnOneMachineAreAcceptedOnAnother) {
  const World& w = world(narrow(tied()));
  for (const numerics::Isa isa : numerics::available_isas()) {
    ThreadPool pool(3);
    const auto machine = must(numerics::Engine::create(isa, pool));
    const trace::RunFolder run{fresh_path("narrow")};
    must(trace::train_run({w.envelope(), run, w.provider_key(), w.base(), w.data(), {}, {}, {}},
                          machine));
    EXPECT_EQ(must(tlog::read_log(run.log(), w.contract().log_key())).checkpoint.root,
              must(tlog::read_log(w.honest_run().log(), w.contract().log_key())).checkpoint.root)
        << numerics::isa_name(isa);
  }
  EXPECT_TRUE(accepted(w.audit_all(w.honest_run())));
}

TEST(NarrowEdges, AProviderWithoutLiesMakesTheHonestLog) {
  const World& w = world(narrow(fine()));
  const auto key = w.contract().log_key();
  EXPECT_EQ(must(tlog::read_log(tell(w, {}).log(), key)).checkpoint,
            must(tlog::read_log(w.honest_run().log(), key)).checkpoint);
}

TEST(NarrowEdges, AProviderThatHandsOnWhatItDidNotRoundIsRejected) {
  Lies lies;
  lies.boundary = Dtype::kF32;  // and commits to the rounded tensor
  // Block 0 hands up what it should; its own gradients follow from a gradient that nobody sees.
  EXPECT_TRUE(rejected(caught(world(narrow(fine())), lies), {"norm", "layer block 0, step block 0",
                                                             "model.embed_tokens.weight, step 0"}));
}

TEST(NarrowEdges, AProviderThatRoundsWithoutAContractForItIsRejected) {
  Lies lies;
  lies.boundary = Dtype::kBF16;
  EXPECT_TRUE(rejected(caught(world(fine()), lies), {"activation", "layer block 0, step block 0",
                                                     "activation at edge 1, step 0"}));
}

TEST(NarrowEdges, CuttingOffInPlaceOfRoundingIsRejected) {
  // The last bit of each element cleared, as if it had been cut off a little earlier.
  Lies lies;
  lies.edge = [](const EdgeId& id, Tensor& tensor) {
    if (id.kind != EdgeKind::kGradient || id.edge != 2 || id.step != 3) return;
    for (std::size_t i = 0; i < tensor.count(); ++i) tensor.mutable_bytes()[4 * i + 2] &= 0xfe;
  };
  EXPECT_TRUE(rejected(caught(world(narrow(fine())), lies),
                       {"gradient", "layer block 2, step block 1", "gradient at edge 2, step 3"}));
}

TEST(NarrowEdges, OneBitOfOneElementOfAShownEdgeIsRejected) {
  Lies lies;
  lies.shown_edge = [](const EdgeId& id, Tensor& tensor) {
    if (id.kind != EdgeKind::kActivation || id.edge != 1 || id.step != 2) return;
    tensor.mutable_bytes()[4 * 5 + 2] ^= 1;
  };
  EXPECT_TRUE(rejected(caught(world(narrow(fine())), lies),
                       {"activation", "layer block 0, step block 1", "edge 1, step 2"}));
}

TEST(NarrowEdges, AStoredEdgeWithOtherBytesIsRejected) {
  const World& w = world(narrow(fine()));
  const trace::RunFolder run = w.copy_of_honest_run();
  const auto log = must(tlog::read_log(run.log(), w.contract().log_key()));
  const auto openings = must(trace::Openings::open(run, w.contract(), log.entries));
  const Digest edge = must(openings.step_list(1)).edges.front();
  const Path file =
      must(trace::Store::open(run.store(), trace::Store::Open::kExisting)).path_of(edge);
  ByteBuffer bytes = must(read_file(file, 1U << 20));
  bytes[7] ^= 1;
  std::filesystem::remove(file);  // a hard link
  must(write_file(file, bytes));
  EXPECT_TRUE(rejected(w.audit_all(run), {"opening", "layer block 1, step block 0", edge.hex()}));
}

}  // namespace
}  // namespace aftune::liar
