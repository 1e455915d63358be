// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/segment_function.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "aftune/model/reference_llama_testing.h"
#include "aftune/model/tiny_llama_testing.h"

namespace aftune::model {
namespace {

using testing::Embeddings;
using testing::model_gradients;
using testing::ModelGradients;
using testing::random_batch;
using testing::random_parameters;
using testing::relative_error;
using testing::same_bits;
using testing::TestEngine;
using testing::tiny_config;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A model with parameters and a micro-batch of 2 x 7 tokens.
struct Tiny {
  explicit Tiny(std::uint32_t layers, Embeddings embeddings)
      : llama(testing::make_llama(tiny_config(layers, embeddings))),
        parameters(random_parameters(llama.config, 11)),
        batch(random_batch(llama.config, 2, 7, 5)) {}
  Llama llama;
  TensorMap parameters;
  MicroBatch batch;
};

std::string error_of(const Result<ModelGradients>& result) {
  if (result) return "no error";
  EXPECT_EQ(result.error().code, Code::kNonFinite);
  return result.error().what;
}

class EachHead : public ::testing::TestWithParam<Embeddings> {};
INSTANTIATE_TEST_SUITE_P(SegmentFunction, EachHead,
                         ::testing::Values(Embeddings::kTied, Embeddings::kUntied),
                         [](const auto& p) {
                           return p.param == Embeddings::kTied ? "Tied" : "Untied";
                         });

TEST_P(EachHead, LossAndLogitsAreThoseOfTheFormulas) {
  const TestEngine engine;
  const Tiny tiny(2, GetParam());
  const auto weights = testing::to_reals(tiny.parameters);
  const testing::ReferenceLlama reference(tiny.llama.config, weights);
  const auto logits = forward_logits(engine, tiny.llama, tiny.parameters, tiny.batch);
  ASSERT_TRUE(logits);
  EXPECT_LT(relative_error(logits->f32(), reference.logits(tiny.batch)), 2e-3);
  const auto got = model_gradients(engine, tiny.llama, 1, tiny.parameters, tiny.batch);
  ASSERT_TRUE(got);
  EXPECT_NEAR(got->loss, reference.loss(tiny.batch), 2e-3);
}

TEST_P(EachHead, GradientsAreThoseOfFiniteDifferences) {
  const TestEngine engine;
  const Tiny tiny(2, GetParam());
  const auto expected = testing::reference_gradients(
      tiny.llama.config, testing::to_reals(tiny.parameters), tiny.batch);
  const auto got = model_gradients(engine, tiny.llama, 1, tiny.parameters, tiny.batch);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->gradients.size(), expected.size());
  for (const auto& [name, values] : expected) {
    EXPECT_LT(relative_error(got->gradients.at(name).f32(), values), 5e-3) << name;
  }
}

TEST_P(EachHead, TheGridChangesNoBit) {
  const TestEngine engine;
  const Tiny tiny(5, GetParam());
  const auto whole = model_gradients(engine, tiny.llama, 5, tiny.parameters, tiny.batch);
  const auto fine = model_gradients(engine, tiny.llama, 1, tiny.parameters, tiny.batch);
  ASSERT_TRUE(whole && fine);
  for (const std::uint32_t layers : {1U, 2U, 3U, 4U}) {
    const auto cut = model_gradients(engine, tiny.llama, layers, tiny.parameters, tiny.batch);
    ASSERT_TRUE(cut);
    EXPECT_EQ(cut->loss, whole->loss);
    EXPECT_EQ(testing::first_difference(cut->gradients, whole->gradients), "");
    for (std::size_t e = 0; (e + 1) * layers < 5; ++e) {
      const std::size_t same = (e + 1) * layers - 1;  // the same line, cut after every layer
      EXPECT_TRUE(same_bits(cut->activations[e], fine->activations[same])) << layers << " " << e;
      EXPECT_TRUE(same_bits(cut->d_edges[e], fine->d_edges[same])) << layers << " " << e;
    }
  }
}

TEST_P(EachHead, ThreadsAndInstructionSetsChangeNoBit) {
  const Tiny tiny(2, GetParam());
  const TestEngine reference(1, numerics::Isa::kScalar);
  const auto expected = model_gradients(reference, tiny.llama, 1, tiny.parameters, tiny.batch);
  ASSERT_TRUE(expected);
  for (const auto isa : numerics::available_isas()) {
    for (const unsigned threads : {1U, 2U}) {
      const TestEngine engine(threads, isa);
      const auto got = model_gradients(engine, tiny.llama, 1, tiny.parameters, tiny.batch);
      ASSERT_TRUE(got);
      EXPECT_EQ(got->loss, expected->loss) << numerics::isa_name(isa) << threads;
      EXPECT_EQ(testing::first_difference(got->gradients, expected->gradients), "")
          << numerics::isa_name(isa) << threads;
    }
  }
}

TEST_P(EachHead, TheTapeChangesNoBit) {
  const TestEngine engine;
  const Tiny tiny(3, GetParam());
  const auto taped = model_gradients(engine, tiny.llama, 2, tiny.parameters, tiny.batch);
  ASSERT_TRUE(taped);
  std::shared_ptr<const Tensor> edge;
  for (const auto& segment : make_partition(tiny.llama.config, 2).segments) {
    auto output =
        segment_forward(engine, tiny.llama, segment, tiny.parameters, tiny.batch, edge, nullptr);
    ASSERT_TRUE(output);
    if (segment.heads) {
      EXPECT_EQ(output->loss, taped->loss);
      break;
    }
    EXPECT_TRUE(same_bits(output->activation, taped->activations[segment.index]));
    edge = std::make_shared<const Tensor>(std::move(output->activation));
  }
}

TEST_P(EachHead, LogitsGiveTheLossOfTheSegments) {
  const TestEngine engine;
  const Tiny tiny(3, GetParam());
  auto logits = forward_logits(engine, tiny.llama, tiny.parameters, tiny.batch);
  ASSERT_TRUE(logits);
  const auto loss =
      numerics::cross_entropy(engine, {logits->data(), logits->shape()[0], logits->shape()[1]},
                              tiny.batch.targets, tiny.batch.counted, false);
  const auto taped = model_gradients(engine, tiny.llama, 1, tiny.parameters, tiny.batch);
  ASSERT_TRUE(loss && taped);
  EXPECT_EQ(*loss, taped->loss);
}

TEST(SegmentFunction, GradientsOfMicroBatchesAddInOrder) {
  const TestEngine engine;
  const Tiny tiny(2, Embeddings::kUntied);
  const auto second = random_batch(tiny.llama.config, 1, 7, 6);
  const auto partition = make_partition(tiny.llama.config, 1);
  const auto a = model_gradients(engine, tiny.llama, 1, tiny.parameters, tiny.batch);
  const auto b = model_gradients(engine, tiny.llama, 1, tiny.parameters, second);
  ASSERT_TRUE(a && b);
  ModelGradients both;
  both.gradients = testing::zeros_like(tiny.parameters);
  for (const auto* batch : {&tiny.batch, &second}) {
    ASSERT_TRUE(
        testing::add_gradients(engine, tiny.llama, partition, tiny.parameters, *batch, both));
  }
  for (const auto& [name, sum] : both.gradients) {
    if (name == "model.embed_tokens.weight") continue;  // adds token by token: next test
    for (std::size_t i = 0; i < sum.count(); ++i) {
      ASSERT_EQ(sum.f32()[i], a->gradients.at(name).f32()[i] + b->gradients.at(name).f32()[i])
          << name << " " << i;
    }
  }
}

TEST(SegmentFunction, TiedEmbeddingTakesTheHeadsProductBeforeTheTokensRows) {
  const TestEngine engine;
  const Tiny tied(2, Embeddings::kTied);
  // The same model untied shows the two parts apart.
  Llama untied = testing::make_llama(tied.llama.config);
  untied.config.tied_embeddings = false;
  TensorMap parameters = testing::clone(tied.parameters);
  parameters.emplace("lm_head.weight", parameters.at("model.embed_tokens.weight").clone());
  const auto whole = model_gradients(engine, tied.llama, 1, tied.parameters, tied.batch);
  const auto parts = model_gradients(engine, untied, 3, parameters, tied.batch);
  ASSERT_TRUE(whole && parts);
  EXPECT_EQ(whole->loss, parts->loss);

  // Rows of tokens that occur once have one addition: head's part + row.
  const auto& head = parts->gradients.at("lm_head.weight");
  const auto& rows = parts->gradients.at("model.embed_tokens.weight");
  const auto& sum = whole->gradients.at("model.embed_tokens.weight");
  const std::size_t width = tied.llama.config.hidden_size;
  unsigned seen = 0;
  for (std::uint32_t id = 0; id < tied.llama.config.vocab_size; ++id) {
    if (std::ranges::count(tied.batch.tokens, static_cast<std::int32_t>(id)) > 1) continue;
    ++seen;
    for (std::size_t i = id * width; i < (id + 1) * width; ++i) {
      ASSERT_EQ(sum.f32()[i], head.f32()[i] + rows.f32()[i]) << id;
    }
  }
  EXPECT_GT(seen, 3U);
}

TEST(SegmentFunction, PaddingChangesNoActivationBitOfTheTokensBeforeIt) {
  const TestEngine engine;
  const Tiny tiny(2, Embeddings::kUntied);
  MicroBatch batch = tiny.batch;
  for (const std::size_t i : {5U, 6U, 12U, 13U}) batch.targets[i] = numerics::kIgnoredLabel;
  batch.targets[4] = batch.targets[11] = numerics::kIgnoredLabel;
  MicroBatch other = batch;
  for (const std::size_t i : {5U, 6U, 12U, 13U}) other.tokens[i] = (batch.tokens[i] + 3) % 19;
  const auto a = model_gradients(engine, tiny.llama, 1, tiny.parameters, batch);
  const auto b = model_gradients(engine, tiny.llama, 1, tiny.parameters, other);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->loss, b->loss);
  const std::size_t width = tiny.llama.config.hidden_size;
  const auto equal_row = [&](const Tensor& x, const Tensor& y, std::size_t row) {
    const auto p = x.f32().subspan(row * width, width);
    const auto q = y.f32().subspan(row * width, width);
    return std::equal(p.begin(), p.end(), q.begin());
  };
  for (const std::size_t row : {0U, 4U, 7U, 11U}) {
    EXPECT_TRUE(equal_row(a->activations[0], b->activations[0], row)) << row;
  }
  EXPECT_FALSE(equal_row(a->activations[0], b->activations[0], 5)) << "the padding did change";
  for (const std::size_t row : {5U, 6U, 12U, 13U}) {
    EXPECT_TRUE(std::ranges::all_of(a->d_edges[0].f32().subspan(row * width, width),
                                    [](float v) { return v == 0; }));
  }
  // Sums over token rows share exponents with the padding's rows: rounding may differ, no more.
  const auto d_edge = a->d_edges[0].f32();
  EXPECT_LT(relative_error(b->d_edges[0].f32(), testing::Reals(d_edge.begin(), d_edge.end())),
            1e-3);
}

TEST(SegmentFunction, RowsWithoutTargetHaveNoGradient) {
  const TestEngine engine;
  const Tiny tiny(2, Embeddings::kUntied);
  MicroBatch batch = tiny.batch;
  for (std::size_t i = 7; i < 14; ++i) batch.targets[i] = numerics::kIgnoredLabel;
  const auto got = model_gradients(engine, tiny.llama, 1, tiny.parameters, batch);
  ASSERT_TRUE(got);
  const auto d_edge = got->d_edges[0].f32();
  const std::size_t half = d_edge.size() / 2;
  EXPECT_TRUE(std::ranges::any_of(d_edge.first(half), [](float v) { return v != 0; }));
  EXPECT_TRUE(std::ranges::all_of(d_edge.last(half), [](float v) { return v == 0; }));
}

TEST(SegmentFunction, AMicroBatchWithoutTargetsLeavesEveryGradientAtPlusZero) {
  const TestEngine engine;
  Tiny tiny(2, Embeddings::kTied);
  tiny.batch.targets.assign(tiny.batch.targets.size(), numerics::kIgnoredLabel);
  const auto got = model_gradients(engine, tiny.llama, 1, tiny.parameters, tiny.batch);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->loss, 0);
  EXPECT_EQ(testing::first_difference(got->gradients, testing::zeros_like(tiny.parameters)), "");
}

TEST(SegmentFunction, CountedTokensOfTheStepDivideTheLoss) {
  const TestEngine engine;
  const Tiny tiny(1, Embeddings::kTied);
  MicroBatch batch = tiny.batch;
  batch.counted *= 4;
  const auto whole = model_gradients(engine, tiny.llama, 1, tiny.parameters, tiny.batch);
  const auto quarter = model_gradients(engine, tiny.llama, 1, tiny.parameters, batch);
  ASSERT_TRUE(whole && quarter);
  EXPECT_EQ(whole->loss, 4 * quarter->loss);
}

TEST(SegmentFunction, NanInAWeightNamesItsProduct) {
  const TestEngine engine;
  for (const auto& [name, place] : std::vector<std::pair<std::string, std::string>>{
           {"model.layers.1.self_attn.k_proj.weight", ": product"},
           {"model.layers.0.self_attn.o_proj.weight", ": product"},
           {"model.layers.1.mlp.down_proj.weight", ": product"},
           {"lm_head.weight", ": product"}}) {
    Tiny tiny(2, Embeddings::kUntied);
    tiny.parameters.at(name).f32()[3] = kNan;
    EXPECT_EQ(error_of(model_gradients(engine, tiny.llama, 1, tiny.parameters, tiny.batch)),
              name + place + ": non-finite value");
  }
}

TEST(SegmentFunction, NanThatReachesAProductAsInputNamesThatProduct) {
  const TestEngine engine;
  struct Lie {
    std::string weight, place;
  };
  for (const auto& [weight, place] :
       {Lie{"model.layers.1.input_layernorm.weight", "model.layers.1.self_attn.q_proj.weight"},
        Lie{"model.layers.0.post_attention_layernorm.weight",
            "model.layers.0.mlp.gate_proj.weight"},
        Lie{"model.norm.weight", "lm_head.weight"}}) {
    Tiny tiny(2, Embeddings::kUntied);
    tiny.parameters.at(weight).f32()[0] = kNan;
    EXPECT_EQ(error_of(model_gradients(engine, tiny.llama, 1, tiny.parameters, tiny.batch)),
              place + ": product: non-finite value");
  }
}

TEST(SegmentFunction, ErrorsAreTheSameForEveryEngine) {
  Tiny tiny(2, Embeddings::kUntied);
  for (float& value : tiny.parameters.at("model.layers.1.mlp.up_proj.weight").f32()) value = kNan;
  for (const auto isa : numerics::available_isas()) {
    const TestEngine engine(2, isa);
    EXPECT_EQ(error_of(model_gradients(engine, tiny.llama, 1, tiny.parameters, tiny.batch)),
              "model.layers.1.mlp.up_proj.weight: product: non-finite value");
  }
}

// Forward and backward of a middle segment from the given edges.
Result<Tensor> middle_gradient(const TestEngine& engine, const Llama& llama,
                               const TensorMap& parameters, const MicroBatch& batch,
                               const Tensor& input, const Tensor& d_output) {
  const auto partition = make_partition(llama.config, 1);
  SegmentTape tape;
  AFTUNE_TRY(segment_forward(engine, llama, partition.segments[1], parameters, batch,
                             std::make_shared<const Tensor>(input.clone()), &tape));
  TensorMap gradients = testing::zeros_like(parameters);
  return segment_backward(engine, llama, partition.segments[1], parameters, batch, std::move(tape),
                          &d_output, gradients);
}

TEST(SegmentFunction, NanInTheLeavingGradientNamesTheFirstProduct) {
  const TestEngine engine;
  const Tiny tiny(3, Embeddings::kUntied);
  const Tensor input = Tensor::zeros({14, 12});
  Tensor d_output = Tensor::zeros({14, 12});
  EXPECT_TRUE(middle_gradient(engine, tiny.llama, tiny.parameters, tiny.batch, input, d_output));
  d_output.f32()[0] = kNan;
  const auto got =
      middle_gradient(engine, tiny.llama, tiny.parameters, tiny.batch, input, d_output);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kNonFinite);
  EXPECT_EQ(got.error().what,
            "model.layers.1.mlp.down_proj.weight: weight gradient: non-finite value");
}

TEST(SegmentFunction, OverflowAfterTheLastProductNamesTheEdge) {
  const TestEngine engine;
  Tiny tiny(3, Embeddings::kUntied);
  // All products stay finite; the last norm multiplies their 2e38 by about 300.
  const std::string layer = "model.layers.1.";
  for (auto& [name, tensor] : tiny.parameters) {
    if (name.starts_with(layer) && !name.ends_with("norm.weight")) tensor.clear();
  }
  for (float& v : tiny.parameters.at(layer + "self_attn.o_proj.weight").f32()) v = 1;
  float sign = 1;
  for (float& v : tiny.parameters.at(layer + "self_attn.v_proj.weight").f32()) {
    v = sign * 1e17F;
    sign = -sign;
  }
  Tensor input = Tensor::zeros({14, 12});
  for (float& v : input.f32()) v = 1e-6F;
  Tensor d_output = Tensor::zeros({14, 12});
  for (float& v : d_output.f32().last(12)) v = 1e19F;
  for (float& v : tiny.parameters.at(layer + "input_layernorm.weight").f32()) v = 1;
  const auto got =
      middle_gradient(engine, tiny.llama, tiny.parameters, tiny.batch, input, d_output);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kNonFinite);
  EXPECT_EQ(got.error().what, "edge 1: gradient: non-finite value");
}

TEST(SegmentFunction, IdsOutsideTheVocabularyAreRefused) {
  const TestEngine engine;
  struct Lie {
    std::string name;
    std::function<void(MicroBatch&)> tell;
    std::string what;
  };
  const Lie lies[] = {
      {"token high", [](MicroBatch& b) { b.tokens[9] = 19; },
       "token 19 at row 1 position 2, the vocabulary has 19 tokens"},
      {"token negative", [](MicroBatch& b) { b.tokens[0] = -1; },
       "token -1 at row 0 position 0, the vocabulary has 19 tokens"},
      {"token ignored", [](MicroBatch& b) { b.tokens[6] = -100; },
       "token -100 at row 0 position 6, the vocabulary has 19 tokens"},
      {"target high", [](MicroBatch& b) { b.targets[13] = 19; },
       "target 19 at row 1 position 6, the vocabulary has 19 tokens"},
      {"target negative", [](MicroBatch& b) { b.targets[1] = -99; },
       "target -99 at row 0 position 1, the vocabulary has 19 tokens"},
  };
  for (const auto& lie : lies) {
    Tiny tiny(1, Embeddings::kTied);
    lie.tell(tiny.batch);
    const auto got = model_gradients(engine, tiny.llama, 1, tiny.parameters, tiny.batch);
    ASSERT_FALSE(got) << lie.name;
    EXPECT_EQ(got.error().code, Code::kInvalidInput) << lie.name;
    EXPECT_EQ(got.error().what, lie.what) << lie.name;
  }
}

}  // namespace
}  // namespace aftune::model
