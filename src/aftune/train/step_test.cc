// SPDX-License-Identifier: Apache-2.0
#include "aftune/train/step.h"

#include <gtest/gtest.h>

#include <limits>

#include "aftune/model/segment_function.h"
#include "aftune/numerics/amx_testing.h"
#include "aftune/tensor/narrow.h"
#include "aftune/train/tiny_run_testing.h"

namespace aftune::train {
namespace {

using testing::adamw_spec;
using testing::Embeddings;
using testing::first_difference;
using testing::Recorder;
using testing::TestEngine;
using testing::TinyRun;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The state and the losses after three steps.
struct Trained {
  BlockState state;
  std::vector<float> losses;
  std::vector<double> norms;
  std::vector<float> clips;
};

Trained train(const numerics::Engine& engine, Embeddings embeddings, std::uint32_t layers_per_block,
              const TrainSpec& spec) {
  TinyRun run(engine, 4, embeddings, layers_per_block, spec);
  Trained trained;
  for (std::uint64_t step = 0; step < 3; ++step) {
    Recorder recorder;
    const auto outcome = run.step(step, recorder);
    EXPECT_TRUE(outcome) << outcome.error().what;
    if (!outcome) break;
    trained.losses.push_back(outcome->loss());
    trained.norms.push_back(outcome->norm);
    trained.clips.push_back(outcome->clip);
  }
  trained.state = run.whole_state();
  return trained;
}

void expect_same(const Trained& got, const Trained& expected, const std::string& what) {
  EXPECT_EQ(got.losses, expected.losses) << what;
  EXPECT_EQ(got.norms, expected.norms) << what;
  EXPECT_EQ(got.clips, expected.clips) << what;
  EXPECT_EQ(first_difference(got.state, expected.state), "") << what;
}

TEST(Step, TheGridChangesNoTrainedBit) {
  const TestEngine engine;
  for (const auto embeddings : {Embeddings::kTied, Embeddings::kUntied}) {
    const auto whole = train(engine, embeddings, 4, adamw_spec());
    for (const std::uint32_t layers : {1U, 2U, 3U}) {
      expect_same(train(engine, embeddings, layers, adamw_spec()), whole, std::to_string(layers));
    }
  }
}

TEST(Step, ThreadsAndInstructionSetsChangeNoTrainedBit) {
  const TestEngine reference(1, numerics::Isa::kScalar);
  const auto expected = train(reference, Embeddings::kTied, 2, adamw_spec());
  for (const auto isa : numerics::available_isas()) {
    for (const unsigned threads : {1U, 2U}) {
      const TestEngine engine(threads, isa);
      expect_same(train(engine, Embeddings::kTied, 2, adamw_spec()), expected,
                  std::string(numerics::isa_name(isa)) + std::to_string(threads));
    }
  }
}

TEST(Step, EmulatedTilesChangeNoTrainedBit) {
  if (!numerics::can_emulate_amx()) GTEST_SKIP() << "needs AVX-512";
  const TestEngine reference(1, numerics::Isa::kScalar);
  const auto expected = train(reference, Embeddings::kTied, 2, adamw_spec());
  for (const unsigned threads : {1U, 2U}) {
    ThreadPool pool(threads);
    expect_same(train(numerics::emulated_amx_engine(pool), Embeddings::kTied, 2, adamw_spec()),
                expected, std::to_string(threads));
  }
}

TEST(Step, LossFallsOnARepeatedBatch) {
  const TestEngine engine;
  TrainSpec spec = adamw_spec();
  spec.schedule = {ScheduleKind::kConstant, 1e-2, 0, 0};
  TinyRun run(engine, 2, Embeddings::kTied, 1, spec);
  const auto batches = testing::tiny_batches(run.llama.config, 0);
  std::vector<float> losses;
  for (std::uint64_t step = 0; step < 6; ++step) {
    Recorder recorder;
    const auto outcome = run_step(spec, step, run.partition, batches, run.blocks, recorder);
    ASSERT_TRUE(outcome);
    losses.push_back(outcome->loss());
  }
  EXPECT_TRUE(std::is_sorted(losses.rbegin(), losses.rend()));
  EXPECT_LT(losses.back(), 0.8F * losses.front());
}

TEST(Step, ObserverSeesEdgesAndUpdatesInTheStatedOrder) {
  const TestEngine engine;
  Recorder untied, tied;
  TinyRun a(engine, 3, Embeddings::kUntied, 1, adamw_spec());
  TinyRun b(engine, 3, Embeddings::kTied, 2, adamw_spec());
  ASSERT_TRUE(a.step(0, untied));
  ASSERT_TRUE(b.step(0, tied));
  EXPECT_EQ(untied.calls, (std::vector<std::string>{"A1.0", "A2.0", "G2.0", "G1.0", "A1.1", "A2.1",
                                                    "G2.1", "G1.1", "U0", "U1", "U2"}));
  EXPECT_EQ(tied.calls, (std::vector<std::string>{"A1.0", "A2.0", "G2.0", "G1.0", "A1.1", "A2.1",
                                                  "G2.1", "G1.1", "U0", "U1"}));
  const auto& edge = *untied.edges.at({0, 1, 2, EdgeKind::kGradient});
  EXPECT_EQ(edge.shape(), (Shape{6, 12}));
}

TEST(Step, EdgesAtTheSameLayerAreTheSameInEveryGrid) {
  const TestEngine engine;
  Recorder fine, coarse;
  TinyRun a(engine, 4, Embeddings::kTied, 1, adamw_spec());
  TinyRun b(engine, 4, Embeddings::kTied, 2, adamw_spec());
  ASSERT_TRUE(a.step(0, fine));
  ASSERT_TRUE(b.step(0, coarse));
  ASSERT_EQ(coarse.edges.size(), 8U);
  for (const auto& [id, tensor] : coarse.edges) {
    EdgeId same = id;
    same.edge = 2 * id.edge;
    EXPECT_TRUE(model::testing::same_bits(*tensor, *fine.edges.at(same))) << id.edge;
  }
}

// What a step with edges in bf16 is, from segments and roundings alone.
class ByHand {
 public:
  ByHand(const numerics::Engine& engine, const TinyRun& run, const model::MicroBatch& batch)
      : engine_(engine), run_(run), batch_(batch), tapes_(run.partition.segments.size()) {
    for (const auto& state : run.states) {
      for (const auto& [name, tensor] : state.parameters) {
        gradients_[name] = Tensor::zeros(tensor.shape());
      }
    }
  }

  /// Every edge in the order of Recorder::calls.
  std::vector<Tensor> edges() {
    std::vector<Tensor> out;
    const auto segments = run_.partition.segments.size();
    EdgeTensor x;
    for (std::uint32_t s = 0; s < segments; ++s) {
      auto output = segment_forward(engine_, run_.llama, run_.partition.segments[s], state(s),
                                    batch_, x, &tapes_[s]);
      EXPECT_TRUE(output);
      if (s + 1 < segments) x = widened(out.emplace_back(round_to_bf16(output->activation)));
    }
    EdgeTensor d;
    for (auto s = static_cast<std::uint32_t>(segments); s-- > 0;) {
      auto back = segment_backward(engine_, run_.llama, run_.partition.segments[s], state(s),
                                   batch_, std::move(tapes_[s]), d.get(), gradients_);
      EXPECT_TRUE(back);
      if (s > 0) d = widened(out.emplace_back(round_to_bf16(*back)));
    }
    return out;
  }

 private:
  const TensorMap& state(std::uint32_t s) const {
    return run_.states[run_.partition.segments[s].block].parameters;
  }
  static EdgeTensor widened(const Tensor& narrow) {
    return std::make_shared<const Tensor>(*to_f32(narrow.view()));
  }

  const numerics::Engine& engine_;
  const TinyRun& run_;
  const model::MicroBatch& batch_;
  std::vector<model::SegmentTape> tapes_;
  TensorMap gradients_;
};

TEST(Step, EdgesInBf16AreRoundedAndTheirValuesHandedOn) {
  const TestEngine engine;
  for (const auto embeddings : {Embeddings::kTied, Embeddings::kUntied}) {
    TinyRun run(engine, 3, embeddings, 1, adamw_spec());
    run.partition.boundary = Dtype::kBF16;
    const auto batches = testing::tiny_batches(run.llama.config, 0);
    const std::vector<Tensor> expected = ByHand(engine, run, batches[0]).edges();
    Recorder recorder;
    ASSERT_TRUE(run.step(0, recorder));
    const auto edge_count = static_cast<std::uint32_t>(run.partition.segments.size()) - 1;
    ASSERT_EQ(expected.size(), 2 * edge_count);
    for (std::uint32_t e = 1; e <= edge_count; ++e) {
      const Tensor& up = *recorder.edges.at({0, 0, e, EdgeKind::kActivation});
      const Tensor& down = *recorder.edges.at({0, 0, e, EdgeKind::kGradient});
      EXPECT_EQ(up.dtype(), Dtype::kBF16);
      EXPECT_TRUE(model::testing::same_bits(up, expected[e - 1])) << e;
      EXPECT_TRUE(model::testing::same_bits(down, expected[2 * edge_count - e])) << e;
    }
  }
}

TEST(Step, TheGridIsPartOfAComputationWhoseEdgesAreRounded) {
  const TestEngine engine;
  const auto trained = [&](std::uint32_t layers_per_block, Dtype boundary) {
    TinyRun run(engine, 4, Embeddings::kUntied, layers_per_block, adamw_spec());
    run.partition.boundary = boundary;
    for (std::uint64_t step = 0; step < 2; ++step) {
      Recorder recorder;
      EXPECT_TRUE(run.step(step, recorder));
    }
    return run.whole_state();
  };
  const BlockState plain = trained(1, Dtype::kF32);
  const BlockState fine = trained(1, Dtype::kBF16), coarse = trained(2, Dtype::kBF16);
  EXPECT_NE(first_difference(fine, plain), "");
  EXPECT_NE(first_difference(coarse, plain), "");
  EXPECT_NE(first_difference(fine, coarse), "");
  EXPECT_EQ(first_difference(trained(4, Dtype::kBF16), plain), "") << "no edge is left to round";
}

TEST(Step, AnEdgeThatRoundsToInfinityEndsTheStep) {
  const TestEngine engine;
  for (const Dtype boundary : {Dtype::kF32, Dtype::kBF16}) {
    TinyRun run(engine, 2, Embeddings::kUntied, 1, adamw_spec());
    run.partition.boundary = boundary;
    Tensor& table = run.states[0].parameters.at("model.embed_tokens.weight");
    for (float& value : table.f32()) value = std::numeric_limits<float>::max();
    Recorder recorder;
    const auto outcome = run.step(0, recorder);
    EXPECT_EQ(recorder.edges.contains({0, 0, 1, EdgeKind::kActivation}), boundary == Dtype::kF32);
    if (boundary == Dtype::kF32) continue;
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Code::kNonFinite);
    EXPECT_EQ(outcome.error().what,
              "step 0: micro-batch 0: segment 0: edge 1: activation: non-finite value");
  }
}

TEST(Step, OutcomeFollowsFromTheSquares) {
  const TestEngine engine;
  TinyRun run(engine, 2, Embeddings::kTied, 1, adamw_spec());
  Recorder recorder;
  const auto outcome = run.step(3, recorder);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->losses.size(), 2U);
  EXPECT_EQ(outcome->loss(), outcome->losses[0] + outcome->losses[1]);
  EXPECT_EQ(outcome->squares.size(), model::parameter_specs(run.llama.config).size());
  const auto clip = clip_factor(run.spec.clip, outcome->squares);
  ASSERT_TRUE(clip);
  EXPECT_EQ(outcome->norm, clip->norm);
  EXPECT_EQ(outcome->clip, clip->factor);
  EXPECT_LT(outcome->clip, 1);
  EXPECT_EQ(outcome->learning_rate, learning_rate(run.spec.schedule, 3));
}

// Refuses the call whose text it was given.
class Refuser final : public StepObserver {
 public:
  explicit Refuser(std::string call) : call_(std::move(call)) {}
  Status on_edge(const EdgeId& id, EdgeTensor tensor) override {
    AFTUNE_TRY(recorder_.on_edge(id, std::move(tensor)));
    return answer();
  }
  Status before_update(std::uint32_t block) override {
    AFTUNE_TRY(recorder_.before_update(block));
    return answer();
  }

 private:
  [[nodiscard]] Status answer() const {
    if (recorder_.calls.back() != call_) return ok();
    return Error{Code::kUnavailable, "disk full"};
  }
  std::string call_;
  Recorder recorder_;
};

TEST(Step, AnErrorOfTheObserverEndsTheStepBeforeAnyUpdateThatFollows) {
  const TestEngine engine;
  for (const auto& [call, what] : std::vector<std::pair<std::string, std::string>>{
           {"A1.0", "step 4: micro-batch 0: disk full"},
           {"G1.1", "step 4: micro-batch 1: disk full"},
           {"U0", "step 4: disk full"}}) {
    TinyRun run(engine, 2, Embeddings::kUntied, 1, adamw_spec());
    const BlockState before = run.whole_state();
    Refuser refuser(call);
    const auto outcome = run.step(4, refuser);
    ASSERT_FALSE(outcome) << call;
    EXPECT_EQ(outcome.error().code, Code::kUnavailable);
    EXPECT_EQ(outcome.error().what, what);
    EXPECT_EQ(first_difference(run.whole_state(), before), "") << call;
  }
}

TEST(Step, NonFiniteValuesNameStepMicroBatchSegmentAndOperation) {
  const TestEngine engine;
  TinyRun run(engine, 3, Embeddings::kTied, 1, adamw_spec());
  run.states[1].parameters.at("model.layers.1.mlp.up_proj.weight").f32()[7] = kNan;
  Recorder recorder;
  const auto outcome = run.step(5, recorder);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::kNonFinite);
  EXPECT_EQ(outcome.error().what,
            "step 5: micro-batch 0: segment 1: model.layers.1.mlp.up_proj.weight: product: "
            "non-finite value");
}

TEST(Step, NonFiniteUpdateNamesTheTensor) {
  const TestEngine engine;
  TinyRun run(engine, 2, Embeddings::kUntied, 1, adamw_spec());
  run.states[1].second.at("model.norm.weight").f32()[2] = kNan;
  Recorder recorder;
  const auto outcome = run.step(1, recorder);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::kNonFinite);
  EXPECT_EQ(outcome.error().what, "step 1: update of model.norm.weight: non-finite value");
}

TEST(Step, StepAfterAFailedOneStartsClean) {
  const TestEngine engine;
  TinyRun fresh(engine, 2, Embeddings::kTied, 1, adamw_spec());
  TinyRun retried(engine, 2, Embeddings::kTied, 1, adamw_spec());
  Refuser refuser("G1.1");
  ASSERT_FALSE(retried.step(1, refuser));
  Recorder recorder, again;
  ASSERT_TRUE(fresh.step(1, recorder));
  ASSERT_TRUE(retried.step(1, again));
  EXPECT_EQ(first_difference(retried.whole_state(), fresh.whole_state()), "");
}

}  // namespace
}  // namespace aftune::train
