// SPDX-License-Identifier: Apache-2.0
// Several documents in a row: each is computed as if it stood in a row of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "aftune/model/tiny_llama_testing.h"

namespace aftune::model {
namespace {

using testing::Embeddings;
using testing::TestEngine;

constexpr std::size_t kSequence = 9;

/// Documents of 4 and 5 tokens in one row, or in two padded ones.
struct Documents {
  Llama llama = testing::make_llama(testing::tiny_config(2, Embeddings::kTied));
  TensorMap parameters = testing::random_parameters(llama.config, 11);
  MicroBatch packed, apart;

  Documents() {
    const std::vector<std::int32_t> first = {3, 1, 4, 1}, second = {5, 9, 2, 6, 5};
    packed = {1, kSequence, first, {}, 7};
    packed.tokens.insert(packed.tokens.end(), second.begin(), second.end());
    packed.targets = {1, 4, 1, -100, 9, 2, 6, 5, -100};
    packed.document_ends = {4, 9};
    apart = {2, kSequence, {}, std::vector<std::int32_t>(2 * kSequence, -100), 7};
    apart.tokens.assign(2 * kSequence, 0);
    std::copy(first.begin(), first.end(), apart.tokens.begin());
    std::copy(second.begin(), second.end(), apart.tokens.begin() + kSequence);
    std::copy(packed.targets.begin(), packed.targets.begin() + 4, apart.targets.begin());
    std::copy(packed.targets.begin() + 4, packed.targets.end(), apart.targets.begin() + kSequence);
  }
  /// Row of `apart` where token t of `packed` stands.
  static std::size_t place(std::size_t t) { return t < 4 ? t : kSequence + t - 4; }
};

TEST(Documents, LogitsAreThoseOfRowsOfTheirOwnToTheBit) {
  const TestEngine engine;
  const Documents d;
  const Tensor packed = *forward_logits(engine, d.llama, d.parameters, d.packed);
  const Tensor apart = *forward_logits(engine, d.llama, d.parameters, d.apart);
  const std::size_t width = d.llama.config.vocab_size;
  for (std::size_t t = 0; t < kSequence; ++t) {
    const auto got = packed.f32().subspan(t * width, width);
    EXPECT_TRUE(std::ranges::equal(got, apart.f32().subspan(Documents::place(t) * width, width)))
        << "token " << t;
  }
}

/// The largest relative distance of a gradient, in Frobenius norms.
double distance(const testing::ModelGradients& got, const testing::ModelGradients& expected) {
  double largest = 0;
  for (const auto& [name, gradient] : expected.gradients) {
    double error = 0, size = 0;
    for (std::size_t i = 0; i < gradient.f32().size(); ++i) {
      error += std::pow(got.gradients.at(name).f32()[i] - gradient.f32()[i], 2);
      size += std::pow(gradient.f32()[i], 2);
    }
    largest = std::max(largest, std::sqrt(error / size));
  }
  return largest;
}

// Weight gradients are products over other rows, so they are rounded otherwise.
TEST(Documents, LossAndGradientsAreThoseOfRowsOfTheirOwn) {
  const TestEngine engine;
  const Documents d;
  MicroBatch crossed = d.packed;
  crossed.document_ends.clear();
  const auto packed = testing::model_gradients(engine, d.llama, 1, d.parameters, d.packed);
  const auto apart = testing::model_gradients(engine, d.llama, 1, d.parameters, d.apart);
  const auto mixed = testing::model_gradients(engine, d.llama, 1, d.parameters, crossed);
  ASSERT_TRUE(packed && apart && mixed);
  EXPECT_NEAR(packed->loss, apart->loss, 1e-6);
  EXPECT_LT(distance(*packed, *apart), 1e-3);
  EXPECT_GT(distance(*mixed, *apart), 1e-2) << "as if one document saw the other";
}

TEST(Documents, WithoutTheirEndsTheSecondSeesTheFirst) {
  const TestEngine engine;
  const Documents d;
  MicroBatch crossed = d.packed;
  crossed.document_ends.clear();
  const Tensor honest = *forward_logits(engine, d.llama, d.parameters, d.packed);
  const Tensor mixed = *forward_logits(engine, d.llama, d.parameters, crossed);
  const std::size_t width = d.llama.config.vocab_size;
  const auto equal = [&](std::size_t t) {
    return std::ranges::equal(honest.f32().subspan(t * width, width),
                              mixed.f32().subspan(t * width, width));
  };
  EXPECT_TRUE(equal(0) && equal(3));
  EXPECT_FALSE(equal(4));
}

TEST(Documents, OneDocumentARowIsWhatNoneMeans) {
  const TestEngine engine;
  const Documents d;
  MicroBatch marked = d.apart;
  marked.document_ends = {kSequence, 2 * kSequence};
  const auto plain = testing::model_gradients(engine, d.llama, 1, d.parameters, d.apart);
  const auto got = testing::model_gradients(engine, d.llama, 1, d.parameters, marked);
  EXPECT_EQ(got->loss, plain->loss);
  for (const auto& [name, gradient] : got->gradients) {
    EXPECT_TRUE(std::ranges::equal(gradient.f32(), plain->gradients.at(name).f32())) << name;
  }
}

}  // namespace
}  // namespace aftune::model
