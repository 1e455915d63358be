// SPDX-License-Identifier: Apache-2.0
// Every family through the same function: its formulas, its gradients, and that neither grid nor
// machine changes a bit. The first Llama has more in segment_function_test.cc.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "aftune/model/decoder.h"
#include "aftune/model/reference_llama_testing.h"
#include "aftune/model/tiny_llama_testing.h"

namespace aftune::model {
namespace {

using testing::model_gradients;
using testing::relative_error;
using testing::same_bits;
using testing::TestEngine;
using testing::tiny_families;
using testing::TinyFamily;

/// A model with parameters and a micro-batch of 2 x 7 tokens.
class EachFamily : public ::testing::TestWithParam<TinyFamily> {
 protected:
  const Llama llama_ = testing::make_llama(GetParam().config);
  TensorMap parameters_ = testing::random_parameters(llama_.config, 11);
  const MicroBatch batch_ = testing::random_batch(llama_.config, 2, 7, 5);
};
INSTANTIATE_TEST_SUITE_P(Families, EachFamily, ::testing::ValuesIn(tiny_families(2)),
                         [](const auto& p) { return p.param.name; });

TEST_P(EachFamily, LogitsLossAndGradientsAreThoseOfTheFormulas) {
  const TestEngine engine;
  const auto weights = testing::to_reals(parameters_);
  const testing::ReferenceLlama reference(llama_.config, weights);
  const auto logits = forward_logits(engine, llama_, parameters_, batch_);
  ASSERT_TRUE(logits);
  EXPECT_LT(relative_error(logits->f32(), reference.logits(batch_)), 2e-3);
  const auto got = model_gradients(engine, llama_, 1, parameters_, batch_);
  ASSERT_TRUE(got);
  EXPECT_NEAR(got->loss, reference.loss(batch_), 2e-3);
  const auto expected = testing::reference_gradients(llama_.config, weights, batch_);
  ASSERT_EQ(got->gradients.size(), expected.size());
  for (const auto& [name, values] : expected) {
    EXPECT_LT(relative_error(got->gradients.at(name).f32(), values), 5e-3) << name;
  }
}

TEST_P(EachFamily, NeitherGridNorThreadsNorInstructionSetChangeABit) {
  const TestEngine reference(1, numerics::Isa::kScalar);
  const auto expected = model_gradients(reference, llama_, 2, parameters_, batch_);
  ASSERT_TRUE(expected);
  for (const auto isa : numerics::available_isas()) {
    for (const unsigned threads : {1U, 2U}) {
      const TestEngine engine(threads, isa);
      const auto got = model_gradients(engine, llama_, threads, parameters_, batch_);
      ASSERT_TRUE(got);
      EXPECT_EQ(got->loss, expected->loss) << numerics::isa_name(isa) << threads;
      EXPECT_EQ(testing::first_difference(got->gradients, expected->gradients), "")
          << numerics::isa_name(isa) << threads;
    }
  }
}

TEST_P(EachFamily, TheFirstGradientIsWrittenAsItWouldBeAdded) {
  const TestEngine engine;
  const auto added = model_gradients(engine, llama_, 3, parameters_, batch_);
  ASSERT_TRUE(added);
  TensorMap written;
  for (const auto& [name, tensor] : parameters_) {
    auto place = written.emplace(name, Tensor::zeros(tensor.shape())).first;
    for (float& value : place->second.f32()) value = 7;  // what an earlier step left
  }
  const auto partition = make_partition(llama_.config, 3);
  std::vector<SegmentTape> tapes(partition.segments.size());
  std::shared_ptr<const Tensor> edge;
  for (const Segment& s : partition.segments) {
    auto out = segment_forward(engine, llama_, s, parameters_, batch_, edge, &tapes[s.index]);
    ASSERT_TRUE(out);
    edge = std::make_shared<const Tensor>(std::move(out->activation));
  }
  Tensor d_edge;
  for (std::size_t s = partition.segments.size(); s-- > 0;) {
    auto d = segment_backward(engine, llama_, partition.segments[s], parameters_, batch_,
                              std::move(tapes[s]), &d_edge, written, numerics::Store::kWrite);
    ASSERT_TRUE(d);
    d_edge = *std::move(d);
  }
  EXPECT_EQ(testing::first_difference(written, added->gradients), "");
}

TEST_P(EachFamily, TheDecoderHasTheBitsOfTheForwardPass) {
  const auto text = testing::random_batch(llama_.config, 1, 19, 5);
  const TestEngine scalar(1, numerics::Isa::kScalar);
  const auto expected = forward_logits(scalar, llama_, parameters_, text);
  ASSERT_TRUE(expected);
  const std::size_t row = llama_.config.vocab_size * sizeof(float);
  for (const std::size_t size : {1, 5, 19}) {
    const TestEngine engine(2);
    const auto decoder = Decoder::create(engine, llama_, [&](const std::string& name) {
      return parameters_.find(name)->second.view();
    });
    ASSERT_TRUE(decoder);
    TextState state = decoder->new_text();
    for (std::size_t begin = 0; begin < 19; begin += size) {
      const std::size_t count = std::min<std::size_t>(size, 19 - begin);
      const TextPiece piece{&state, std::span(text.tokens).subspan(begin, count)};
      const auto logits = decoder->advance(engine, std::span(&piece, 1), LogitRows::kAll);
      ASSERT_TRUE(logits) << logits.error().what;
      EXPECT_TRUE(
          std::ranges::equal(logits->bytes(), expected->bytes().subspan(begin * row, count * row)))
          << size << " " << begin;
    }
  }
}

TEST_P(EachFamily, EveryParameterIsInOneBlockAndMoves) {
  const TestEngine engine;
  const auto got = model_gradients(engine, llama_, 1, parameters_, batch_);
  ASSERT_TRUE(got);
  const auto partition = make_partition(llama_.config, 1);
  std::size_t count = 0;
  for (std::uint32_t block = 0; block < partition.block_count; ++block) {
    for (const TensorSpec& spec : block_parameters(llama_.config, partition, block)) {
      ++count;
      const auto gradient = got->gradients.at(spec.name).f32();
      EXPECT_TRUE(std::ranges::any_of(gradient, [](float v) { return v != 0; })) << spec.name;
    }
  }
  EXPECT_EQ(count, parameters_.size());
}

/// Loss after one value of one parameter was changed.
float loss_with(const Llama& llama, const TensorMap& parameters, const MicroBatch& batch,
                const std::string& name, float value) {
  TensorMap changed = testing::clone(parameters);
  changed.at(name).f32()[1] = value;
  const auto got = model_gradients(TestEngine(), llama, 3, changed, batch);
  AFTUNE_CHECK(got.has_value(), name);
  return got->loss;
}

TEST_P(EachFamily, ItsOwnParametersChangeTheLoss) {
  const float loss = model_gradients(TestEngine(), llama_, 3, parameters_, batch_)->loss;
  const std::string layer = "model.layers.1.self_attn.";
  for (const char* part : {"q_proj.bias", "v_proj.bias", "q_norm.weight", "k_norm.weight"}) {
    if (!parameters_.contains(layer + part)) continue;
    EXPECT_NE(loss_with(llama_, parameters_, batch_, layer + part, 3), loss) << part;
  }
}

TEST_P(EachFamily, WhatIsNotFiniteNamesAPlace) {
  const TestEngine engine;
  for (const auto& spec : parameter_specs(llama_.config)) {
    TensorMap changed = testing::clone(parameters_);
    changed.at(spec.name).f32()[1] = std::numeric_limits<float>::quiet_NaN();
    const auto got = model_gradients(engine, llama_, 1, changed, batch_);
    if (spec.name == "model.embed_tokens.weight" && got) continue;  // a row that no token reads
    ASSERT_FALSE(got) << spec.name;
    EXPECT_EQ(got.error().code, Code::kNonFinite) << got.error().what;
  }
}

TEST(SlidingWindow, LongerTextsAreRefused) {
  Llama llama = testing::make_llama(tiny_families(1)[1].config);
  ASSERT_EQ(llama.config.sliding_window, 24U);
  EXPECT_EQ(llama.config.longest_sequence(), 24U);
  const TensorMap parameters = testing::random_parameters(llama.config, 11);
  const TestEngine engine;
  const auto decoder = Decoder::create(
      engine, llama, [&](const std::string& name) { return parameters.find(name)->second.view(); });
  ASSERT_TRUE(decoder);
  TextState text = decoder->new_text();
  const std::vector<std::int32_t> tokens(24, 1);
  const TextPiece all{&text, tokens};
  ASSERT_TRUE(decoder->advance(engine, std::span(&all, 1), LogitRows::kLast));
  const TextPiece more{&text, std::span(tokens).first(1)};
  const auto got = decoder->advance(engine, std::span(&more, 1), LogitRows::kLast);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().what, "text of 25 tokens, the model has 24 positions");
}

}  // namespace
}  // namespace aftune::model
