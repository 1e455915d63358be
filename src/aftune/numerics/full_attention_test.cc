// SPDX-License-Identifier: Apache-2.0
// Attention without a mask, as vision transformers have it.
#include <gtest/gtest.h>

#include <limits>

#include "aftune/numerics/attention.h"
#include "aftune/numerics/cached_attention.h"
#include "aftune/numerics/internal/test_attention.h"

namespace aftune::numerics {
namespace {

TEST(FullAttention, EqualsThePageAtEverySmallLength) {
  for (std::size_t length = 1; length <= 20; ++length) {
    expect_paper_bits({1, length, 1, 1, 6, 0.4f, Mask::kFull}, 2.0f, false);
  }
}

TEST(FullAttention, EqualsThePageAroundLanesTilesAndBlocks) {
  // 128 queries are computed at a time, 256 keys and queries are a block of the sums over them.
  for (const std::size_t length : {63, 65, 127, 128, 129, 256, 257, 385}) {
    expect_paper_bits({1, length, 1, 1, 5, 0.35f, Mask::kFull}, 1.5f, false);
  }
  expect_paper_bits({1, 520, 1, 1, 3, 0.35f, Mask::kFull}, 1.0f, false);
}

TEST(FullAttention, EqualsThePageForWideHeads) {
  for (const std::size_t width : {1, 64, 80, 257}) {
    expect_paper_bits({1, 9, 1, 1, width, 0.1f, Mask::kFull}, 1.0f, false);
  }
}

TEST(FullAttention, EqualsThePageForGroupsAndBatchesOnAnyThreads) {
  expect_paper_bits({3, 20, 6, 2, 16, 0.25f, Mask::kFull}, 1.0f, true);
  expect_paper_bits({2, 7, 4, 1, 10, 0.3f, Mask::kFull}, 3.0f, true);
}

TEST(FullAttention, EqualsThePageWhereScoresLieFarApart) {
  expect_paper_bits({1, 40, 2, 1, 16, 0.25f, Mask::kFull}, 30.0f, false);
}

TEST(FullAttention, ARowIsTheLastRowOfACausalSequenceThatEndsWithItsQuery) {
  const AttentionShape full{1, 197, 2, 1, 12, 0.3f, Mask::kFull};
  AttentionShape causal = full;
  causal.mask = Mask::kCausal;
  for_each_engine([&](const Engine& engine, const std::string& name) {
    AttentionTensors x(full);
    ASSERT_TRUE(x.forward(engine));
    const std::size_t width = full.heads * full.head_dim;
    for (const std::size_t row : {0, 1, 127, 128, 196}) {
      AttentionTensors y(causal);
      std::copy_n(x.q.begin() + static_cast<std::ptrdiff_t>(row * width), width,
                  y.q.end() - static_cast<std::ptrdiff_t>(width));
      ASSERT_TRUE(y.forward(engine));
      const auto got = x.o.begin() + static_cast<std::ptrdiff_t>(row * width);
      EXPECT_TRUE(std::equal(y.o.end() - static_cast<std::ptrdiff_t>(width), y.o.end(), got))
          << name << ", row " << row;
    }
  });
}

TEST(FullAttention, EveryRowDependsOnTheLastKeyAndOnNoOtherQuery) {
  const AttentionShape shape{1, 140, 1, 1, 12, 0.3f, Mask::kFull};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    AttentionTensors x(shape), other_key(shape), other_query(shape);
    for (std::size_t c = 0; c < shape.head_dim; ++c) {
      other_key.v.end()[-1 - static_cast<std::ptrdiff_t>(c)] = 50.0f;
      other_query.q.end()[-1 - static_cast<std::ptrdiff_t>(c)] = 50.0f;
    }
    ASSERT_TRUE(x.forward(engine) && other_key.forward(engine) && other_query.forward(engine));
    const auto width = static_cast<std::ptrdiff_t>(shape.head_dim);
    for (auto row = x.o.begin(); row != x.o.end(); row += width) {
      const auto at = row - x.o.begin();
      EXPECT_FALSE(std::equal(row, row + width, other_key.o.begin() + at)) << name << at;
      EXPECT_EQ(std::equal(row, row + width, other_query.o.begin() + at), row + width != x.o.end())
          << name << at;
    }
  });
}

TEST(FullAttention, DiffersFromCausalInEveryRowButTheLast) {
  const AttentionShape full{1, 9, 1, 1, 8, 0.3f, Mask::kFull}, causal{1, 9, 1, 1, 8, 0.3f};
  with_scalar_engine([&](const Engine& engine) {
    AttentionTensors x(full), y(causal);
    ASSERT_TRUE(x.forward(engine) && y.forward(engine));
    for (std::ptrdiff_t at = 0; at < 72; at += 8) {
      EXPECT_EQ(std::equal(x.o.begin() + at, x.o.begin() + at + 8, y.o.begin() + at), at == 64);
    }
  });
}

/// The lengths of small image transformers: patches of 16 or 14 pixels and a token of their own.
TEST(Attention, IsNearFp64AtTheLengthsOfImages) {
  for (const Mask mask : {Mask::kCausal, Mask::kFull}) {
    for (const std::size_t length : {197, 257}) {
      AttentionTensors x({1, length, 1, 1, 64, 0.125f, mask});
      ThreadPool pool(2);
      const auto engine = Engine::create(std::nullopt, pool);
      ASSERT_TRUE(engine);
      ASSERT_TRUE(x.forward(*engine));
      ASSERT_TRUE(x.backward(*engine));
      const auto head = [&](const std::vector<float>& values) {
        return x.head_of(values, 0, 0, 1);
      };
      const TrueHead truth(head(x.q), head(x.k), head(x.v), head(x.d_o), mask, 0.125);
      EXPECT_LT(TrueHead::error(head(x.o), truth.o), 1e-3);
      EXPECT_LT(TrueHead::error(head(x.dq), truth.dq), 1e-3);
      EXPECT_LT(TrueHead::error(head(x.dk), truth.dk), 1e-3);
      EXPECT_LT(TrueHead::error(head(x.dv), truth.dv), 1e-3);
      const Mask other = mask == Mask::kFull ? Mask::kCausal : Mask::kFull;
      const TrueHead lie(head(x.q), head(x.k), head(x.v), head(x.d_o), other, 0.125);
      EXPECT_GT(TrueHead::error(head(x.o), lie.o), 0.1) << "the check can fail";
      EXPECT_GT(TrueHead::error(head(x.dk), lie.dk), 0.1);
    }
  }
}

TEST(FullAttention, AScoreThatOverflowsIsRefusedWhereverItStands) {
  // Query 0 times key 1 overflows: the causal mask hides it, the full one does not.
  for_each_engine([&](const Engine& engine, const std::string& name) {
    for (const Mask mask : {Mask::kCausal, Mask::kFull}) {
      AttentionTensors x({1, 2, 1, 1, 1, 1.0f, mask});
      x.q = {0x1p69f, 0.0f};
      x.k = {1.0f, 0x1p69f};
      const Status done = x.forward(engine);
      EXPECT_EQ(done.has_value(), mask == Mask::kCausal) << name;
      if (!done) {
        EXPECT_EQ(done.error().code, Code::kNonFinite) << name;
      }
    }
  });
}

TEST(FullAttention, NonFiniteOperandsAreRefusedInEveryPlace) {
  const float lies[] = {std::numeric_limits<float>::infinity(),
                        std::numeric_limits<float>::quiet_NaN(), -0x1p70f};
  const AttentionShape shape{1, 9, 2, 1, 6, 0.3f, Mask::kFull};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    for (const float lie : lies) {
      for (const auto input : {&AttentionTensors::q, &AttentionTensors::k, &AttentionTensors::v}) {
        for (const bool first : {true, false}) {
          AttentionTensors x(shape);
          (first ? (x.*input).front() : (x.*input).back()) = lie;
          EXPECT_FALSE(x.forward(engine)) << name;
        }
      }
      AttentionTensors x(shape);
      ASSERT_TRUE(x.forward(engine));
      x.d_o.front() = lie;
      EXPECT_FALSE(x.backward(engine)) << name;
    }
  });
}

TEST(FullAttentionDeathTest, ACacheIsForTheCausalMask) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  with_scalar_engine([&](const Engine& engine) {
    const AttentionShape shape{1, 1, 1, 1, 4, 0.5f, Mask::kFull};
    EXPECT_DEATH((void)attention_cached(engine, shape, {}), "a cache holds no later keys");
  });
}

}  // namespace
}  // namespace aftune::numerics
