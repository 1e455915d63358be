// SPDX-License-Identifier: Apache-2.0
// Lies told in what a run does not store, and lies whose evidence was deleted: whatever is rebuilt
// is compared with its commitment, drawn or not (T34, T4).
#include <gtest/gtest.h>

#include "aftune/trace/inventory.h"
#include "aftune/trace/prepare.h"
#include "expect_verdict.h"
#include "finished_run.h"
#include "lying_provider.h"

namespace aftune::liar {
namespace {

using train::EdgeId;
using train::EdgeKind;

/// One layer a block, bands of two, states of every second step block, two micro-batches.
Terms sparse(Terms terms = untied()) {
  terms = fine(terms);
  terms.state_interval = 2;
  terms.steps_per_block = 1;
  terms.micro_batch = 2;
  terms.edge_interval = 2;
  return terms;
}

const World& sparse_world() { return world(sparse()); }

/// Noise on one edge at one step, committed and handed on.
Lies on_edge(EdgeKind kind, std::uint32_t edge, std::uint64_t step, std::uint32_t micro = 0) {
  Lies lies;
  lies.edge = [=](const EdgeId& id, Tensor& tensor) {
    if (id == EdgeId{step, micro, edge, kind}) add_noise(tensor);
  };
  return lies;
}

TEST(RebuildLies, AProviderWithoutLiesIsAcceptedWhateverIsDeleted) {
  const World& w = sparse_world();
  EXPECT_TRUE(accepted(caught(w, {})));
  EXPECT_TRUE(accepted(caught(world(sparse(tied())), {})));
}

TEST(RebuildLies, T1AnEdgeThatIsNotStored) {
  const World& w = sparse_world();
  const auto activation = tell(w, on_edge(EdgeKind::kActivation, 1, 3));
  const Cause first = {"activation", "layer block 0, step block 3", "activation at edge 1, step 3"};
  EXPECT_TRUE(rejected(w.audit_all(activation), first));
  const auto gradient = tell(w, on_edge(EdgeKind::kGradient, 3, 2));
  const Cause second = {"gradient", "layer block 3, step block 2", "gradient at edge 3, step 2"};
  EXPECT_TRUE(rejected(w.audit_all(gradient), second));
}

TEST(RebuildLies, T34AnEdgeRebuiltForADrawnBlockNamesTheBlockThatMadeIt) {
  const World& w = sparse_world();
  const auto run = tell(w, on_edge(EdgeKind::kActivation, 1, 2));
  const auto verdict = w.audit_blocks(run, {{1, 2}});
  EXPECT_TRUE(rejected(verdict, {"activation", "layer block 0, step block 2", "edge 1, step 2"}));
  ASSERT_EQ(verdict.blocks.size(), 1U) << "block 1 is not computed from an edge that differs";
  EXPECT_TRUE(verdict.blocks[0].rebuilt_only);
  EXPECT_FALSE(verdict.blocks[0].held);
  const auto back = tell(w, on_edge(EdgeKind::kGradient, 1, 2));
  EXPECT_TRUE(rejected(w.audit_blocks(back, {{0, 2}}),
                       {"gradient", "layer block 1, step block 2", "gradient at edge 1, step 2"}));
  EXPECT_TRUE(inconclusive(w.audit_blocks(run, {{2, 2}, {3, 4}}), "chosen by hand"))
      << "another band";
}

TEST(RebuildLies, T34AnEdgeOnTheWayToAState) {
  // P(1,3) is made by replaying step block 2, where an edge inside the band was forged.
  const World& w = sparse_world();
  const auto run = tell(w, on_edge(EdgeKind::kGradient, 1, 2, 1));
  const auto verdict = w.audit_blocks(run, {{0, 3}});
  EXPECT_TRUE(rejected(verdict, {"gradient", "layer block 1, step block 2",
                                 "gradient at edge 1, step 2, micro-batch 1"}));
  for (const auto& block : verdict.blocks) EXPECT_EQ(block.step_block, 2U);
}

TEST(RebuildLies, T34AStateBetweenStoredOnes) {
  const World& w = sparse_world();
  Lies lies;
  lies.after_step = [](std::uint64_t step, States& states) {
    if (step == 2) states[0].parameters.begin()->second.f32()[0] += 0x1p-10F;
  };
  const auto run = tell(w, lies);
  const Cause cause = {"state", "layer block 0, step block 2", "at step block 3"};
  EXPECT_TRUE(rejected(w.audit_all(run), cause));
  const auto verdict = w.audit_blocks(run, {{1, 3}});
  EXPECT_TRUE(rejected(verdict, cause)) << "a neighbour of the drawn block's band";
  for (const auto& block : verdict.blocks) EXPECT_EQ(block.step_block, 2U);
}

TEST(RebuildLies, AStoredEdgeOfASparseRun) {
  const World& w = sparse_world();
  EXPECT_TRUE(rejected(w.audit_all(tell(w, on_edge(EdgeKind::kActivation, 2, 1, 1))),
                       {"activation", "layer block 1, step block 1",
                        "activation at edge 2, step 1, micro-batch 1"}));
  EXPECT_TRUE(rejected(w.audit_all(tell(w, on_edge(EdgeKind::kGradient, 2, 4))),
                       {"gradient", "layer block 2, step block 4", "gradient at edge 2, step 4"}));
}

TEST(RebuildLies, AnEdgeShownOtherThanTheOneHandedOn) {
  const World& w = sparse_world();
  Lies lies;
  lies.shown_edge = [](const EdgeId& id, Tensor& tensor) {
    if (id == EdgeId{3, 0, 1, EdgeKind::kActivation}) add_noise(tensor);
  };
  EXPECT_TRUE(rejected(w.audit_blocks(tell(w, lies), {{1, 3}}),
                       {"activation", "layer block 0, step block 3", "edge 1, step 3"}));
}

TEST(RebuildLies, T23T35ATiedHeadInASparseRun) {
  const World& w = world(sparse(tied()));
  Lies lies;
  lies.edge = [](const EdgeId& id, Tensor& tensor) {
    if (id.kind == EdgeKind::kGradient && id.edge == 4) tensor.clear();
  };
  EXPECT_TRUE(rejected(caught(w, lies),
                       {"gradient", "layer block 0, step block 0", "gradient at edge 4, step 0"}));
  EXPECT_TRUE(rejected(w.audit_blocks(tell(w, on_edge(EdgeKind::kActivation, 3, 1)), {{3, 1}}),
                       {"activation", "layer block 2, step block 1", "edge 3, step 1"}));
}

TEST(RebuildLies, T14AShareOfTheNormInsideABand) {
  const World& w = sparse_world();
  Lies lies;
  lies.squares = [](std::uint64_t step, train::GradientSquares& squares) {
    if (step == 2) squares.at("model.layers.1.mlp.up_proj.weight") *= 4;
  };
  EXPECT_TRUE(rejected(w.audit_blocks(tell(w, lies), {{0, 2}}),
                       {"norm", "layer block 1, step block 2", "layers.1.mlp.up_proj.weight"}));
}

/// Deletes every tensor of the run's store: lists stay.
void delete_tensors(const World& w, const trace::RunFolder& run) {
  const FinishedRun finished(w, run);
  const auto inventory = must(trace::take_inventory(w.contract(), finished.entries, run));
  for (const auto& [digest, component] : inventory.needed) {
    if (component == trace::Component::kLists) continue;
    std::filesystem::remove(finished.object(digest));
  }
}

TEST(RebuildLies, T4DeletingTheEvidenceHidesNoLie) {
  // With every tensor gone, each lie is found by what its commitment says.
  const World& dense = world(fine());
  Lies state;
  state.after_step = [](std::uint64_t step, States& states) {
    if (step == 1) states[2].parameters.at("model.layers.2.mlp.up_proj.weight").f32()[5] = 7;
  };
  const std::pair<Lies, Cause> lies[] = {
      {on_edge(EdgeKind::kActivation, 2, 2),
       {"activation", "layer block 1, step block 1", "edge 2, step 2"}},
      {on_edge(EdgeKind::kGradient, 1, 3),
       {"gradient", "layer block 1, step block 1", "edge 1, step 3"}},
      {state, {"state", "layer block 2, step block 0", "at step block 1"}}};
  for (const auto& [lie, cause] : lies) {
    const auto run = tell(dense, lie);
    EXPECT_TRUE(rejected(dense.audit_all(run), cause));
    delete_tensors(dense, run);
    EXPECT_TRUE(rejected(dense.audit_all(run), cause)) << "with everything deleted";
  }
}

TEST(RebuildLies, T4TheNextStateDeletedAndTheWeightsReplacedBeforeIt) {
  const World& w = world(fine());
  Lies lies;
  lies.after_step = [](std::uint64_t step, States& states) {
    if (step == 3) states[1].parameters.begin()->second.f32()[0] += 0x1p-10F;
  };
  const auto run = tell(w, lies);
  const FinishedRun finished(w, run);
  for (const Digest& digest :
       finished.digests(finished.timeline().position_of_state(1, 2), "tensors")) {
    std::filesystem::remove(finished.object(digest));
  }
  const Cause cause = {"state", "layer block 1, step block 1", "at step block 2"};
  EXPECT_TRUE(rejected(w.audit_blocks(run, {{1, 1}}), cause));
  EXPECT_TRUE(rejected(w.audit_blocks(run, {{1, 2}}), cause)) << "on the way to the deleted state";
}

TEST(RebuildLies, ForgedBytesForAPreparedObject) {
  const World& w = sparse_world();
  FinishedRun run(w, w.copy_of_honest_run());
  must(trace::prepare_blocks(w.contract(), run.folder(), run.entries, {{1, 3}}, engine()));
  const auto edges = run.digests(run.timeline().position_of_step(3), "edges");
  ASSERT_TRUE(std::filesystem::exists(run.object(edges[0]))) << "activation at edge 1";
  flip_bit(run.object(edges[0]), 9);
  EXPECT_TRUE(rejected(w.audit_blocks(run.folder(), {{1, 3}}),
                       {"opening", "layer block 1, step block 3", "activation at edge 1, step 3"}));
}

TEST(RebuildLies, AProviderCannotPrepareWhatItLiedAbout) {
  const World& w = sparse_world();
  const auto run = tell(w, on_edge(EdgeKind::kActivation, 1, 2));
  const FinishedRun finished(w, run);
  const auto prepared =
      trace::prepare_blocks(w.contract(), run, finished.entries, {{1, 2}}, engine());
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, Code::kCorrupt);
  EXPECT_NE(prepared.error().what.find("layer block 0, step block 2: activation at edge 1"),
            std::string::npos)
      << prepared.error().what;
}

}  // namespace
}  // namespace aftune::liar
