// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "aftune/model/tiny_llama_testing.h"

namespace aftune::model {
namespace {

using testing::Embeddings;
using testing::TestEngine;

MicroBatch batch_of(const std::vector<std::int32_t>& tokens) {
  const std::vector<std::int32_t> targets(tokens.size(), numerics::kIgnoredLabel);
  return {1, tokens.size(), tokens, targets, 1};
}

/// A random model and two texts for it.
struct Tiny {
  explicit Tiny(Embeddings embeddings)
      : llama(testing::make_llama(testing::tiny_config(3, embeddings))),
        parameters(testing::random_parameters(llama.config, 7)) {
    llama.config.max_positions = 320;
    text = testing::random_batch(llama.config, 1, 23, 5).tokens;
    other = testing::random_batch(llama.config, 1, 9, 6).tokens;
  }

  [[nodiscard]] Result<Decoder> decoder(const numerics::Engine& engine) const {
    return Decoder::create(engine, llama, [this](const std::string& name) {
      return parameters.find(name)->second.view();
    });
  }
  /// Logits of every position, as training computes them.
  [[nodiscard]] Tensor logits(const std::vector<std::int32_t>& tokens) const {
    const TestEngine engine(1, numerics::Isa::kScalar);
    const std::vector<std::int32_t> targets(tokens.size(), numerics::kIgnoredLabel);
    auto result =
        forward_logits(engine, llama, parameters, MicroBatch{1, tokens.size(), tokens, targets, 1});
    AFTUNE_CHECK(result.has_value(), "forward_logits");
    return *std::move(result);
  }

  Llama llama;
  TensorMap parameters;
  std::vector<std::int32_t> text, other;
};

bool same_rows(const Tensor& got, std::size_t row, const Tensor& expected, std::size_t first,
               std::size_t count) {
  const std::size_t width = expected.shape()[1] * sizeof(float);
  return std::equal(got.bytes().begin() + static_cast<std::ptrdiff_t>(row * width),
                    got.bytes().begin() + static_cast<std::ptrdiff_t>((row + count) * width),
                    expected.bytes().begin() + static_cast<std::ptrdiff_t>(first * width));
}

/// Feeds `tokens` in pieces of `size` and compares the logits of every position.
void expect_bits(const numerics::Engine& engine, const Decoder& decoder,
                 const std::vector<std::int32_t>& tokens, const Tensor& expected,
                 std::size_t size) {
  TextState state = decoder.new_text();
  for (std::size_t begin = 0; begin < tokens.size(); begin += size) {
    const auto part = std::span(tokens).subspan(begin, std::min(size, tokens.size() - begin));
    const std::vector<TextPiece> pieces = {{&state, part}};
    const auto logits = decoder.advance(engine, pieces, LogitRows::kAll);
    ASSERT_TRUE(logits) << logits.error().what;
    ASSERT_EQ(logits->shape(), (Shape{part.size(), decoder.config().vocab_size}));
    EXPECT_TRUE(same_rows(*logits, 0, expected, begin, part.size())) << "pieces of " << size;
  }
  EXPECT_EQ(state.size(), tokens.size());
}

class EachDecoder : public ::testing::TestWithParam<Embeddings> {};
INSTANTIATE_TEST_SUITE_P(Decoder, EachDecoder,
                         ::testing::Values(Embeddings::kTied, Embeddings::kUntied),
                         [](const auto& p) {
                           return p.param == Embeddings::kTied ? "Tied" : "Untied";
                         });

TEST_P(EachDecoder, LogitsHaveTheBitsOfTheForwardPassHoweverTokensCome) {
  const Tiny tiny(GetParam());
  const Tensor expected = tiny.logits(tiny.text);
  for (const numerics::Isa isa : numerics::available_isas()) {
    for (const unsigned threads : {1U, 2U}) {
      SCOPED_TRACE(std::string(numerics::isa_name(isa)) + ", " + std::to_string(threads));
      const TestEngine engine(threads, isa);
      const auto decoder = tiny.decoder(engine);
      ASSERT_TRUE(decoder);
      for (const std::size_t size : {1, 2, 7, 22, 23}) {
        expect_bits(engine, *decoder, tiny.text, expected, size);
      }
    }
  }
}

TEST_P(EachDecoder, TextsJoinAndLeaveWithoutAChangeOfBits) {
  const Tiny tiny(GetParam());
  const Tensor expected = tiny.logits(tiny.text), expected_other = tiny.logits(tiny.other);
  const TestEngine engine(2);
  const auto decoder = tiny.decoder(engine);
  ASSERT_TRUE(decoder);
  TextState text = decoder->new_text(), other = decoder->new_text();
  const auto first = std::span(tiny.text);
  const auto second = std::span(tiny.other);
  std::vector<TextPiece> pieces = {{&text, first.first(10)}};
  ASSERT_TRUE(decoder->advance(engine, pieces, LogitRows::kLast));
  pieces = {{&other, second.first(5)}, {&text, first.subspan(10, 1)}};
  const auto both = decoder->advance(engine, pieces, LogitRows::kLast);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->shape()[0], 2U);
  EXPECT_TRUE(same_rows(*both, 0, expected_other, 4, 1));
  EXPECT_TRUE(same_rows(*both, 1, expected, 10, 1));
  pieces = {{&text, first.subspan(11)}, {&other, second.subspan(5)}};
  const auto all = decoder->advance(engine, pieces, LogitRows::kAll);
  ASSERT_TRUE(all);
  EXPECT_TRUE(same_rows(*all, 0, expected, 11, 12));
  EXPECT_TRUE(same_rows(*all, 12, expected_other, 5, 4));
}

TEST_P(EachDecoder, PacksTwoBytesAParameterAndExponents) {
  const Tiny tiny(GetParam());
  const TestEngine engine;
  const auto decoder = tiny.decoder(engine);
  ASSERT_TRUE(decoder);
  // Rows up to the next 16, in fp32 exponents and pairs of columns.
  const auto bytes = numerics::PackedWeights::bytes_of;
  const std::size_t layer = 2 * bytes(16, 12) + 2 * bytes(8, 12) - bytes(16, 12) + bytes(12, 16) +
                            2 * bytes(20, 12) + bytes(12, 20);
  EXPECT_EQ(decoder->packed_bytes(), 3 * layer + bytes(19, 12));
}

TEST(Decoder, KeepsTheBitsAcrossBlocksOfKeys) {
  Tiny tiny(Embeddings::kTied);
  tiny.text = testing::random_batch(tiny.llama.config, 1, 270, 8).tokens;
  const Tensor expected = tiny.logits(tiny.text);
  const TestEngine engine(2);
  const auto decoder = tiny.decoder(engine);
  ASSERT_TRUE(decoder);
  for (const std::size_t size : {1, 250}) {
    expect_bits(engine, *decoder, tiny.text, expected, size);
  }
}

TEST(Decoder, OneOtherTokenChangesWhatFollowsAndNothingBefore) {
  const Tiny tiny(Embeddings::kTied);
  const Tensor expected = tiny.logits(tiny.text);
  const TestEngine engine;
  const auto decoder = tiny.decoder(engine);
  ASSERT_TRUE(decoder);
  std::vector<std::int32_t> changed = tiny.text;
  changed[12] = (changed[12] + 1) % 19;
  TextState state = decoder->new_text();
  const std::vector<TextPiece> pieces = {{&state, changed}};
  const auto logits = decoder->advance(engine, pieces, LogitRows::kAll);
  ASSERT_TRUE(logits);
  EXPECT_TRUE(same_rows(*logits, 0, expected, 0, 12));
  for (std::size_t row = 12; row < 23; ++row) {
    EXPECT_FALSE(same_rows(*logits, row, expected, row, 1)) << row;
  }
}

TEST(Decoder, RefusesTokensAndLengthsThatTheModelLacks) {
  const Tiny tiny(Embeddings::kTied);
  const TestEngine engine;
  const auto decoder = tiny.decoder(engine);
  ASSERT_TRUE(decoder);
  TextState state = decoder->new_text();
  const auto refused = [&](const std::vector<std::int32_t>& tokens) {
    const std::vector<TextPiece> pieces = {{&state, tokens}};
    const auto logits = decoder->advance(engine, pieces, LogitRows::kLast);
    EXPECT_FALSE(logits);
    if (logits) return std::string();
    EXPECT_EQ(logits.error().code, Code::kInvalidInput);
    return logits.error().what;
  };
  EXPECT_EQ(refused({3, 19}), "token 19 at position 1, the vocabulary has 19 tokens");
  EXPECT_EQ(refused({-1}), "token -1 at position 0, the vocabulary has 19 tokens");
  EXPECT_EQ(refused(std::vector<std::int32_t>(321, 1)),
            "text of 321 tokens, the model has 320 positions");
  EXPECT_EQ(state.size(), 0U);
}

TEST(Decoder, NamesTheParameterThatNoProductCanTake) {
  const TestEngine engine;
  for (const std::string name :
       {"model.layers.1.mlp.up_proj.weight", "model.embed_tokens.weight"}) {
    for (const float value : {std::numeric_limits<float>::quiet_NaN(), 0x1p70F}) {
      Tiny tiny(Embeddings::kTied);
      tiny.parameters.find(name)->second.f32().back() = value;
      const auto decoder = tiny.decoder(engine);
      ASSERT_FALSE(decoder);
      EXPECT_EQ(decoder.error().code, Code::kNonFinite);
      EXPECT_EQ(decoder.error().what, name + ": non-finite value");
    }
  }
}

TEST(Decoder, NamesThePlaceOfWhatIsNotFiniteAsTheForwardPassDoes) {
  const struct {
    const char* parameter;
    float value;
    const char* expected;
  } lies[] = {
      {"model.layers.2.self_attn.v_proj.weight", 0x1p69F, "model.layers.2.self_attn: attention"},
      {"model.layers.0.post_attention_layernorm.weight", std::numeric_limits<float>::quiet_NaN(),
       "model.layers.0.mlp.gate_proj.weight"},
      {"model.norm.weight", std::numeric_limits<float>::infinity(), "model.embed_tokens.weight"},
  };
  const TestEngine engine;
  for (const auto& lie : lies) {
    Tiny tiny(Embeddings::kTied);
    for (float& x : tiny.parameters.find(lie.parameter)->second.f32()) x = lie.value;
    const auto decoder = tiny.decoder(engine);
    ASSERT_TRUE(decoder) << decoder.error().what;
    TextState state = decoder->new_text();
    const std::vector<TextPiece> pieces = {{&state, tiny.text}};
    const auto got = decoder->advance(engine, pieces, LogitRows::kLast);
    const auto expected = forward_logits(engine, tiny.llama, tiny.parameters, batch_of(tiny.text));
    ASSERT_FALSE(got) << lie.parameter;
    ASSERT_FALSE(expected);
    EXPECT_EQ(got.error().code, Code::kNonFinite);
    EXPECT_EQ(got.error().what, expected.error().what);
    EXPECT_TRUE(got.error().what.starts_with(lie.expected)) << got.error().what;
  }
}

}  // namespace
}  // namespace aftune::model
