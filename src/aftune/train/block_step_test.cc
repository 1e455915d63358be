// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/block_step.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "aftune/train/tiny_run_testing.h"

namespace aftune::train {
namespace {

using testing::adamw_spec;
using testing::Embeddings;
using testing::first_difference;
using testing::Recorder;
using testing::TestEngine;
using testing::TinyRun;

constexpr std::uint64_t kStep = 2;

// What an auditor gets for one step of one block, and what it finds that differs ("" if nothing).
class Replay {
 public:
  Replay(const TinyRun& run, const Recorder& recorder, const StepOutcome& outcome)
      : run_(run), recorder_(recorder), outcome_(outcome) {}

  std::string of_block(const numerics::Engine& engine, std::uint32_t block, BlockState& state) {
    BlockStep step(engine, run_.llama, run_.partition, block, state);
    step.begin();
    const auto batches = testing::tiny_batches(run_.llama.config, kStep);
    for (std::uint32_t m = 0; m < batches.size(); ++m) {
      if (auto found = micro_batch(step, block, m, batches[m]); !found.empty()) return found;
    }
    const auto squares = step.squares();
    if (!squares) return squares.error().what;
    for (const auto& [name, sum] : *squares) {
      if (outcome_.squares.at(name) != sum) return "squares of " + name;
    }
    const auto updated = step.update(run_.spec, kStep, outcome_.clip);
    if (!updated) return updated.error().what;
    return first_difference(state, run_.states[block]);
  }

 private:
  EdgeTensor edge(std::uint32_t m, std::uint32_t index, EdgeKind kind) const {
    const auto found = recorder_.edges.find({kStep, m, index, kind});
    return found == recorder_.edges.end() ? nullptr : found->second;
  }

  std::string micro_batch(BlockStep& step, std::uint32_t block, std::uint32_t m,
                          const model::MicroBatch& batch) {
    const auto segments = run_.partition.segments_of(block);
    const auto last = static_cast<std::uint32_t>(run_.partition.segments.size()) - 1;
    for (const auto s : segments) {
      const auto output = step.forward(s, batch, edge(m, s, EdgeKind::kActivation));
      if (!output) return output.error().what;
      if (s == last && output->loss != outcome_.losses[m]) return "loss";
      if (s != last &&
          !model::testing::same_bits(output->activation, *edge(m, s + 1, EdgeKind::kActivation))) {
        return "activation " + std::to_string(s + 1);
      }
    }
    for (auto s = segments.rbegin(); s != segments.rend(); ++s) {
      const auto d_output = edge(m, *s + 1, EdgeKind::kGradient);
      const auto d_input = step.backward(*s, batch, d_output.get());
      if (!d_input) return d_input.error().what;
      if (*s > 0 && !model::testing::same_bits(*d_input, *edge(m, *s, EdgeKind::kGradient))) {
        return "gradient " + std::to_string(*s);
      }
    }
    return "";
  }

  const TinyRun& run_;
  const Recorder& recorder_;
  const StepOutcome& outcome_;
};

TEST(BlockStep, AloneGivesTheBitsOfTheWholeStep) {
  const TestEngine engine(2);
  const TestEngine auditor(1, numerics::Isa::kScalar);
  for (const auto embeddings : {Embeddings::kTied, Embeddings::kUntied}) {
    for (const Dtype boundary : {Dtype::kF32, Dtype::kBF16}) {
      TinyRun run(engine, 4, embeddings, 2, adamw_spec());
      run.partition.boundary = boundary;
      Recorder first, recorder;
      ASSERT_TRUE(run.step(kStep - 1, first));  // so that the moments are not zero
      std::vector<BlockState> starts;
      for (const auto& state : run.states) starts.push_back(testing::clone(state));
      const auto outcome = run.step(kStep, recorder);
      ASSERT_TRUE(outcome);
      for (std::uint32_t block = 0; block < run.partition.block_count; ++block) {
        EXPECT_EQ(Replay(run, recorder, *outcome).of_block(auditor, block, starts[block]), "")
            << block << " " << dtype_name(boundary);
      }
    }
  }
}

TEST(BlockStep, AChangedInputShowsInWhatGoesOut) {
  const TestEngine engine;
  TinyRun run(engine, 4, Embeddings::kTied, 2, adamw_spec());
  std::vector<BlockState> starts;
  for (const auto& state : run.states) starts.push_back(testing::clone(state));
  Recorder recorder;
  auto outcome = run.step(kStep, recorder);
  ASSERT_TRUE(outcome);
  const auto changed = [](const EdgeTensor& edge) {
    Tensor copy = edge->clone();
    copy.f32()[4] *= 1.5F;
    return std::make_shared<const Tensor>(std::move(copy));
  };
  struct Lie {
    std::string name;
    std::function<void(Recorder&, StepOutcome&, BlockState&)> tell;
    std::string found;
  };
  const EdgeId a1{kStep, 0, 1, EdgeKind::kActivation};
  const EdgeId g2{kStep, 1, 2, EdgeKind::kGradient};
  const EdgeId a2{kStep, 1, 2, EdgeKind::kActivation};
  const Lie lies[] = {
      {"entering activation", [&](auto& r, auto&, auto&) { r.edges[a1] = changed(r.edges[a1]); },
       "activation 2"},
      {"leaving activation", [&](auto& r, auto&, auto&) { r.edges[a2] = changed(r.edges[a2]); },
       "activation 2"},
      {"leaving gradient", [&](auto& r, auto&, auto&) { r.edges[g2] = changed(r.edges[g2]); },
       "gradient 1"},
      {"norm share",
       [](auto&, auto& o, auto&) { o.squares["model.layers.3.mlp.up_proj.weight"] *= 2; },
       "squares of model.layers.3.mlp.up_proj.weight"},
      {"clip factor", [](auto&, auto& o, auto&) { o.clip *= 0.5F; },
       "model.layers.2.input_layernorm.weight"},
      {"second moment",
       [](auto&, auto&, auto& s) { s.second.at("model.layers.3.mlp.up_proj.weight").f32()[0] = 1; },
       "model.layers.3.mlp.up_proj.weight"},
  };
  for (const auto& lie : lies) {
    Recorder told = recorder;
    StepOutcome said = *outcome;
    BlockState start = testing::clone(starts[1]);
    lie.tell(told, said, start);
    EXPECT_EQ(Replay(run, told, said).of_block(engine, 1, start), lie.found) << lie.name;
  }
}

TEST(BlockStep, BackwardAddsUntilTheNextBegin) {
  const TestEngine engine;
  TinyRun run(engine, 1, Embeddings::kUntied, 1, adamw_spec());
  const auto batch = testing::tiny_batches(run.llama.config, 0)[0];
  BlockStep& block = run.blocks[0];
  const auto once_more = [&] {
    ASSERT_TRUE(block.forward(0, batch, nullptr));
    ASSERT_TRUE(block.backward(0, batch, nullptr));
  };
  block.begin();
  once_more();
  const TensorMap once = model::testing::clone(block.gradients());
  once_more();
  const auto& twice = block.gradients().at("lm_head.weight");
  for (std::size_t i = 0; i < twice.count(); ++i) {
    ASSERT_EQ(twice.f32()[i], 2 * once.at("lm_head.weight").f32()[i]);
  }
  block.begin();
  once_more();
  EXPECT_EQ(model::testing::first_difference(block.gradients(), once), "");
}

TEST(BlockStep, OnlyUpdateChangesTheState) {
  const TestEngine engine;
  TinyRun run(engine, 1, Embeddings::kTied, 1, adamw_spec());
  const BlockState before = testing::clone(run.states[0]);
  const auto batch = testing::tiny_batches(run.llama.config, 0)[0];
  BlockStep& block = run.blocks[0];
  block.begin();
  const auto edge = block.forward(0, batch, nullptr);
  ASSERT_TRUE(edge);
  ASSERT_TRUE(block.forward(1, batch, std::make_shared<const Tensor>(edge->activation.clone())));
  const auto d_edge = block.backward(1, batch, nullptr);
  ASSERT_TRUE(d_edge);
  ASSERT_TRUE(block.backward(0, batch, &*d_edge));
  ASSERT_TRUE(block.squares());
  EXPECT_EQ(first_difference(run.states[0], before), "");
  ASSERT_TRUE(block.update(run.spec, 1, 1));
  EXPECT_NE(first_difference(run.states[0], before), "");
}

TEST(BlockStep, AccumulatorThatOverflowsNamesTheTensor) {
  const TestEngine engine;
  TinyRun run(engine, 3, Embeddings::kUntied, 1, adamw_spec());
  // Each micro-batch adds a finite 2e38 to the gradient of the first norm, which no product takes.
  float sign = 1;
  for (auto& [name, tensor] : run.states[1].parameters) {
    const bool is_one = name.ends_with("norm.weight") || name.ends_with("o_proj.weight");
    for (float& v : tensor.f32()) v = is_one ? 1 : 0;
    if (!name.ends_with("v_proj.weight")) continue;
    for (float& v : tensor.f32()) v = 1e17F * std::exchange(sign, -sign);
  }
  const auto batch = testing::tiny_batches(run.llama.config, 0)[0];
  Tensor ones = Tensor::zeros({12, 12});
  for (float& v : ones.f32()) v = 1;
  const auto input = std::make_shared<const Tensor>(std::move(ones));
  Tensor d_output = Tensor::zeros({12, 12});
  for (float& v : d_output.f32().last(12)) v = 1e19F;

  BlockStep& block = run.blocks[1];
  block.begin();
  ASSERT_TRUE(block.forward(1, batch, input));
  ASSERT_TRUE(block.backward(1, batch, &d_output));
  ASSERT_TRUE(block.squares());
  ASSERT_TRUE(block.forward(1, batch, input));
  const auto second = block.backward(1, batch, &d_output);
  ASSERT_TRUE(second) << second.error().what;
  const auto squares = block.squares();
  ASSERT_FALSE(squares);
  EXPECT_EQ(squares.error().code, Code::kNonFinite);
  EXPECT_EQ(squares.error().what,
            "gradient of model.layers.1.input_layernorm.weight: non-finite value");
}

TEST(BlockStepDeathTest, CallsOutOfOrderAreOurBug) {
  const TestEngine engine;
  TinyRun run(engine, 2, Embeddings::kUntied, 1, adamw_spec());
  const auto batch = testing::tiny_batches(run.llama.config, 0)[0];
  EXPECT_DEATH((void)run.blocks[0].backward(0, batch, nullptr), "backward without forward");
  EXPECT_DEATH((void)run.blocks[0].forward(1, batch, nullptr), "segment of another block");
  EXPECT_DEATH((void)run.blocks[0].forward(7, batch, nullptr), "no such segment");
}

}  // namespace
}  // namespace aftune::train
