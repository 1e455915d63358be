// SPDX-License-Identifier: Apache-2.0
// Image classifiers through the segment function: formulas, gradients, and that neither grid nor
// machine changes a bit.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "aftune/model/reference_vision_testing.h"
#include "aftune/model/segment_parameters.h"
#include "aftune/model/tiny_vision_testing.h"
#include "aftune/model/vision_embedding.h"

namespace aftune::model {
namespace {

using testing::model_gradients;
using testing::Reals;
using testing::relative_error;
using testing::TestEngine;
using testing::tiny_visions;
using testing::TinyVision;

class EachVision : public ::testing::TestWithParam<TinyVision> {
 protected:
  const Llama model_ = testing::make_vision(GetParam().config);
  TensorMap parameters_ = testing::random_vision_parameters(model_.config, 11);
  const MicroBatch batch_ = testing::random_images(model_.config, 3, 5);
};
INSTANTIATE_TEST_SUITE_P(Vision, EachVision, ::testing::ValuesIn(tiny_visions(2)),
                         [](const auto& p) { return p.param.name; });

TEST_P(EachVision, LogitsLossAndGradientsAreThoseOfTheFormulas) {
  const TestEngine engine;
  auto reals = testing::to_reals(parameters_);
  const testing::ReferenceVision reference(model_.config, model_.inv_freq, reals);
  const auto logits = forward_logits(engine, model_, parameters_, batch_);
  ASSERT_TRUE(logits) << logits.error().what;
  EXPECT_EQ(logits->shape(), (Shape{3, model_.config.vocab_size}));
  EXPECT_LT(relative_error(logits->f32(), reference.logits(batch_)), 2e-3);
  const auto got = model_gradients(engine, model_, 1, parameters_, batch_);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_NEAR(got->loss, reference.loss(batch_), 2e-3);
  for (auto& [name, values] : reals) {
    Reals expected, ours;  // every fifth element: all of them take seconds
    const auto gradient = got->gradients.at(name).f32();
    for (std::size_t i = 0; i < values.size(); i += 5) {
      const double at = values[i];
      values[i] = at + 1e-5;
      const double above = reference.loss(batch_);
      values[i] = at - 1e-5;
      expected.push_back((above - reference.loss(batch_)) / 2e-5);
      ours.push_back(gradient[i]);
      values[i] = at;
    }
    double error = 0, size = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      error += (ours[i] - expected[i]) * (ours[i] - expected[i]);
      size += expected[i] * expected[i];
    }
    // Softmax does not see a key's bias: its gradient is nothing but rounding.
    const bool unseen = name.ends_with("key.bias");
    EXPECT_LT(std::sqrt(error), unseen ? 1e-4 : 5e-3 * std::sqrt(size)) << name;
  }
}

TEST_P(EachVision, NeitherGridNorThreadsNorInstructionSetChangeABit) {
  const TestEngine reference(1, numerics::Isa::kScalar);
  const auto expected = model_gradients(reference, model_, 2, parameters_, batch_);
  ASSERT_TRUE(expected);
  for (const auto isa : numerics::available_isas()) {
    for (const unsigned threads : {1U, 2U}) {
      const TestEngine engine(threads, isa);
      const auto got = model_gradients(engine, model_, threads, parameters_, batch_);
      ASSERT_TRUE(got);
      EXPECT_EQ(got->loss, expected->loss) << numerics::isa_name(isa) << threads;
      EXPECT_EQ(testing::first_difference(got->gradients, expected->gradients), "")
          << numerics::isa_name(isa) << threads;
    }
  }
}

TEST_P(EachVision, TheFirstGradientIsWrittenAsItWouldBeAdded) {
  const TestEngine engine;
  const auto added = model_gradients(engine, model_, 2, parameters_, batch_);
  ASSERT_TRUE(added);
  TensorMap written;
  for (const auto& [name, tensor] : parameters_) {
    auto place = written.emplace(name, Tensor::zeros(tensor.shape())).first;
    for (float& value : place->second.f32()) value = 7;  // what an earlier step left
  }
  const auto partition = make_partition(model_.config, 2);
  ASSERT_EQ(partition.segments.size(), 1U);
  SegmentTape tape;
  ASSERT_TRUE(
      segment_forward(engine, model_, partition.segments[0], parameters_, batch_, nullptr, &tape));
  ASSERT_TRUE(segment_backward(engine, model_, partition.segments[0], parameters_, batch_,
                               std::move(tape), nullptr, written, numerics::Store::kWrite));
  EXPECT_EQ(testing::first_difference(written, added->gradients), "");
}

TEST_P(EachVision, EveryParameterIsInOneBlockAndInOneSegment) {
  const auto partition = make_partition(model_.config, 1);
  std::size_t in_blocks = 0, in_segments = 0;
  for (std::uint32_t block = 0; block < partition.block_count; ++block) {
    in_blocks += block_parameters(model_.config, partition, block).size();
    for (const std::uint32_t index : partition.segments_of(block)) {
      in_segments += segment_parameters(model_.config, partition.segments[index]).size();
    }
  }
  EXPECT_EQ(in_blocks, parameters_.size());
  EXPECT_EQ(in_segments, parameters_.size());
  EXPECT_EQ(block_parameters(model_.config, partition, 0).size(),
            segment_parameters(model_.config, partition.segments[0]).size());
}

TEST_P(EachVision, WhatIsNotFiniteNamesAPlace) {
  const TestEngine engine;
  for (const auto& spec : parameter_specs(model_.config)) {
    TensorMap changed = testing::clone(parameters_);
    changed.at(spec.name).f32()[1] = std::numeric_limits<float>::quiet_NaN();
    const auto got = model_gradients(engine, model_, 1, changed, batch_);
    ASSERT_FALSE(got) << spec.name;
    EXPECT_EQ(got.error().code, Code::kNonFinite) << got.error().what;
  }
}

TEST_P(EachVision, AnImageStandsForItselfInABatch) {
  const TestEngine engine;
  const auto all = forward_logits(engine, model_, parameters_, batch_);
  const auto part = model_.config.vision->image_values();
  MicroBatch one{1, batch_.sequence, {}, {batch_.targets[1]}, 1};
  one.pixels.assign(batch_.pixels.begin() + static_cast<std::ptrdiff_t>(part),
                    batch_.pixels.begin() + static_cast<std::ptrdiff_t>(2 * part));
  const auto alone = forward_logits(engine, model_, parameters_, one);
  ASSERT_TRUE(all && alone);
  const std::size_t row = model_.config.vocab_size * sizeof(float);
  EXPECT_TRUE(std::ranges::equal(alone->bytes(), all->bytes().subspan(row, row)));
}

TEST(Patches, AreSquaresByChannelRowAndColumn) {
  Llama model = testing::make_vision(testing::tiny_vision_config(Family::kVit, 1));
  model.inv_freq.f32()[1] = 0;  // channel 1: the byte over 255, and over 1
  model.inv_freq.f32()[3] = 1;
  MicroBatch batch{1, 5, {}, {0}, 1};
  for (std::size_t i = 0; i < 2 * 6 * 6; ++i) batch.pixels.push_back(static_cast<std::uint8_t>(i));
  const Tensor patches = patches_of(model, batch);
  ASSERT_EQ(patches.shape(), (Shape{4, 18}));
  const auto at = [&](std::size_t patch, std::size_t channel, std::size_t y, std::size_t x) {
    return patches.f32()[patch * 18 + channel * 9 + y * 3 + x];
  };
  EXPECT_EQ(at(0, 1, 0, 0), 36.0F / 255.0F);
  EXPECT_EQ(at(1, 1, 0, 0), 39.0F / 255.0F);
  EXPECT_EQ(at(2, 1, 0, 0), 54.0F / 255.0F);
  EXPECT_EQ(at(3, 1, 2, 1), (36.0F + 5 * 6 + 4) / 255.0F);
  EXPECT_EQ(at(3, 0, 2, 1), (34.0F / 255.0F - 0.25F) / 0.5F);
}

TEST(Vision, AClassOutsideTheModelIsRefused) {
  const Llama model = testing::make_vision(testing::tiny_vision_config(Family::kVit, 1));
  const TensorMap parameters = testing::random_vision_parameters(model.config, 11);
  MicroBatch batch = testing::random_images(model.config, 2, 5);
  for (const std::int32_t wrong : {7, -1, 1 << 30}) {
    batch.targets[1] = wrong;
    const auto got = model_gradients(TestEngine(), model, 1, parameters, batch);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().what,
              "class " + std::to_string(wrong) + " of image 1, the model has 7 classes");
  }
}

TEST(VisionDeathTest, RefusesPixelsOfAnotherShape) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Llama model = testing::make_vision(testing::tiny_vision_config(Family::kVit, 1));
  const TensorMap parameters = testing::random_vision_parameters(model.config, 11);
  MicroBatch batch = testing::random_images(model.config, 2, 5);
  batch.pixels.pop_back();
  EXPECT_DEATH((void)forward_logits(TestEngine(), model, parameters, batch), "pixels");
}

}  // namespace
}  // namespace aftune::model
