// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/key_value_cache.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "aftune/numerics/cached_attention.h"
#include "aftune/numerics/internal/test_engines.h"

namespace aftune::numerics {
namespace {

/// One sequence, whose attention at once is what the cache must give in pieces.
struct Sequence {
  AttentionShape shape;
  std::size_t wide, narrow;
  std::vector<float> q, k, v;

  Sequence(std::size_t length, std::size_t heads, std::size_t kv_heads, std::size_t head_dim,
           std::uint32_t seed = 0)
      : shape{1, length, heads, kv_heads, head_dim, 0.3f},
        wide(heads * head_dim),
        narrow(kv_heads * head_dim),
        q(normal_values(length * wide, seed + 1)),
        k(normal_values(length * narrow, seed + 2)),
        v(normal_values(length * narrow, seed + 3)) {
    // Values of very different sizes: subnormal weights, and keys that count for nothing.
    for (std::size_t i = 0; i < v.size(); ++i) {
      v[i] = std::ldexp(v[i], static_cast<int>(i / narrow % 5) * 30 - 110);
    }
  }

  [[nodiscard]] std::vector<float> at_once(const Engine& engine) const {
    std::vector<float> o(q.size());
    EXPECT_TRUE(attention(engine, shape, q.data(), k.data(), v.data(), o.data()));
    return o;
  }
  [[nodiscard]] Status append(const Engine& engine, KeyValueCache& cache, std::size_t begin,
                              std::size_t end) const {
    return cache.append(engine, ConstMatrix(k.data() + begin * narrow, end - begin, narrow),
                        ConstMatrix(v.data() + begin * narrow, end - begin, narrow));
  }
  [[nodiscard]] CachedQueries queries(const KeyValueCache& cache, std::size_t begin,
                                      std::size_t end, std::vector<float>& o) const {
    return {&cache, ConstMatrix(q.data() + begin * wide, end - begin, wide),
            Matrix(o.data() + begin * wide, end - begin, wide)};
  }
  [[nodiscard]] std::vector<float> in_chunks(const Engine& engine, std::size_t chunk) const {
    KeyValueCache cache(shape.kv_heads, shape.head_dim);
    std::vector<float> o(q.size());
    for (std::size_t begin = 0; begin < shape.sequence; begin += chunk) {
      const std::size_t end = std::min(begin + chunk, shape.sequence);
      EXPECT_TRUE(append(engine, cache, begin, end));
      const std::vector<CachedQueries> one = {queries(cache, begin, end, o)};
      EXPECT_TRUE(attention_cached(engine, shape, one));
    }
    EXPECT_EQ(cache.size(), shape.sequence);
    return o;
  }
};

TEST(KeyValueCache, ChunksOfAnySizeHaveTheBitsOfAttentionAtOnce) {
  const Sequence sequence(37, 6, 2, 5);
  for_each_engine([&](const Engine& engine, const std::string& name) {
    const std::vector<float> expected = sequence.at_once(engine);
    for (const std::size_t chunk : {1, 2, 7, 8, 9, 36, 37}) {
      const std::vector<float> got = sequence.in_chunks(engine, chunk);
      ASSERT_EQ(first_difference(got, expected), got.size()) << name << ", chunks of " << chunk;
    }
  });
}

TEST(KeyValueCache, KeepsTheBitsAcrossBlocksOfKeys) {
  const Sequence sequence(270, 2, 1, 64);
  for (const Isa isa : available_isas()) {
    ThreadPool pool(2);
    const auto engine = Engine::create(isa, pool);
    ASSERT_TRUE(engine);
    const std::vector<float> expected = sequence.at_once(*engine);
    for (const std::size_t chunk : {1, 100, 270}) {
      const std::vector<float> got = sequence.in_chunks(*engine, chunk);
      ASSERT_EQ(first_difference(got, expected), got.size())
          << isa_name(isa) << ", chunks of " << chunk;
    }
  }
}

TEST(KeyValueCache, HeadsMayHaveAnyWidth) {
  for (const std::size_t head_dim : {1, 2, 16, 17, 255, 256, 257, 513}) {
    const Sequence sequence(19, 2, 2, head_dim);
    for (const Isa isa : available_isas()) {
      ThreadPool pool(1);
      const auto engine = Engine::create(isa, pool);
      ASSERT_TRUE(engine);
      const std::vector<float> expected = sequence.at_once(*engine);
      const std::vector<float> got = sequence.in_chunks(*engine, 6);
      ASSERT_EQ(first_difference(got, expected), got.size()) << isa_name(isa) << head_dim;
    }
  }
}

TEST(KeyValueCache, SequencesOfDifferentLengthsDoNotTouchEachOther) {
  const Sequence a(40, 4, 2, 8, 10), b(23, 4, 2, 8, 20);
  for_each_engine([&](const Engine& engine, const std::string& name) {
    KeyValueCache cache_a(2, 8), cache_b(2, 8);
    std::vector<float> o_a(a.q.size()), o_b(b.q.size());
    ASSERT_TRUE(a.append(engine, cache_a, 0, 40));
    ASSERT_TRUE(b.append(engine, cache_b, 0, 23));
    const std::vector<CachedQueries> both = {b.queries(cache_b, 22, 23, o_b),
                                             a.queries(cache_a, 30, 40, o_a)};
    ASSERT_TRUE(attention_cached(engine, a.shape, both));
    const std::vector<float> whole_a = a.at_once(engine), whole_b = b.at_once(engine);
    EXPECT_TRUE(std::equal(o_a.begin() + 30 * 32, o_a.end(), whole_a.begin() + 30 * 32)) << name;
    EXPECT_TRUE(std::equal(o_b.begin() + 22 * 32, o_b.end(), whole_b.begin() + 22 * 32)) << name;
  });
}

TEST(KeyValueCache, TakesTwoBytesAValueAndALittleMore) {
  with_scalar_engine([](const Engine& engine) {
    const Sequence sequence(257, 3, 3, 64);
    KeyValueCache cache(3, 64);
    EXPECT_EQ(cache.bytes(), 0U);
    ASSERT_TRUE(sequence.append(engine, cache, 0, 256));
    const std::size_t one = cache.bytes();
    EXPECT_GE(one, 256U * 3 * 64 * 2 * 2);
    EXPECT_LE(one, 256U * 3 * 64 * 2 * 2 * 105 / 100);
    ASSERT_TRUE(sequence.append(engine, cache, 256, 257));
    EXPECT_EQ(cache.bytes(), 2 * one);
  });
}

TEST(KeyValueCache, ARefusedAppendLeavesItAsItWas) {
  for_each_engine([](const Engine& engine, const std::string& name) {
    Sequence sequence(21, 4, 2, 8);
    const std::vector<float> expected = sequence.at_once(engine);
    KeyValueCache cache(2, 8);
    ASSERT_TRUE(sequence.append(engine, cache, 0, 20));
    for (std::vector<float> Sequence::*side : {&Sequence::k, &Sequence::v}) {
      for (const float lie : {std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN(), -0x1p70f}) {
        Sequence broken = sequence;
        (broken.*side)[20 * 16 + 9] = lie;
        const Status done = broken.append(engine, cache, 20, 21);
        ASSERT_FALSE(done) << name;
        EXPECT_EQ(done.error().code, Code::kNonFinite);
        EXPECT_EQ(cache.size(), 20U);
      }
    }
    ASSERT_TRUE(sequence.append(engine, cache, 20, 21));
    std::vector<float> o(sequence.q.size());
    const std::vector<CachedQueries> one = {sequence.queries(cache, 0, 21, o)};
    ASSERT_TRUE(attention_cached(engine, sequence.shape, one));
    EXPECT_EQ(first_difference(o, expected), o.size()) << name;
  });
}

TEST(KeyValueCache, AttentionRefusesWhatIsNotFinite) {
  const struct {
    const char* name;
    float q, k, v;
  } lies[] = {{"query", std::numeric_limits<float>::infinity(), 1, 1},
              {"score", 0x1p69f, 0x1p69f, 1},
              {"query at the bound", 0x1p70f, 1, 1}};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    for (const auto& lie : lies) {
      Sequence sequence(3, 1, 1, 4);
      sequence.q.assign(12, lie.q);
      sequence.k.assign(12, lie.k);
      KeyValueCache cache(1, 4);
      ASSERT_TRUE(sequence.append(engine, cache, 0, 3));
      std::vector<float> o(12);
      const std::vector<CachedQueries> one = {sequence.queries(cache, 2, 3, o)};
      const Status done = attention_cached(engine, sequence.shape, one);
      ASSERT_FALSE(done) << name << ": " << lie.name;
      EXPECT_EQ(done.error().code, Code::kNonFinite);
    }
  });
}

}  // namespace
}  // namespace aftune::numerics
