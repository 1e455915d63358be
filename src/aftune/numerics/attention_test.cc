// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/attention.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/test_engines.h"
#include "aftune/numerics/internal/test_x16.h"

namespace aftune::numerics {
namespace {

using Lanes = std::array<float, 64>;

float halving_tree(Lanes lanes) {
  for (std::size_t width = 32; width >= 1; width /= 2) {
    for (std::size_t t = 0; t < width; ++t) lanes[t] += lanes[t + width];
  }
  return lanes[0];
}

/// All tensors of one attention; gradients where they were asked for.
struct Tensors {
  AttentionShape shape;
  std::vector<float> q, k, v, o, d_o, dq, dk, dv;

  explicit Tensors(const AttentionShape& s, float size = 1.0f) : shape(s) {
    const std::size_t wide = s.batch * s.sequence * s.heads * s.head_dim;
    const std::size_t narrow = s.batch * s.sequence * s.kv_heads * s.head_dim;
    q = normal_values(wide, 1, size);
    k = normal_values(narrow, 2, size);
    v = normal_values(narrow, 3);
    d_o = normal_values(wide, 4, 1e-3f);
    o.resize(wide);
    dq.resize(wide);
    dk.resize(narrow);
    dv.resize(narrow);
  }
  Status forward(const Engine& engine) {
    return attention(engine, shape, q.data(), k.data(), v.data(), o.data());
  }
  Status backward(const Engine& engine) {
    return attention_grad(engine, shape, q.data(), k.data(), v.data(), o.data(), d_o.data(),
                          dq.data(), dk.data(), dv.data());
  }
  /// The place of (sequence b, position t, head, column 0) among `heads` heads.
  [[nodiscard]] std::size_t at(std::size_t b, std::size_t t, std::size_t head,
                               std::size_t heads) const {
    return ((b * shape.sequence + t) * heads + head) * shape.head_dim;
  }
  [[nodiscard]] Grid head_of(const std::vector<float>& x, std::size_t b, std::size_t head,
                             std::size_t heads) const {
    Grid grid(shape.sequence, shape.head_dim);
    for (std::size_t t = 0; t < grid.rows; ++t) {
      for (std::size_t c = 0; c < grid.cols; ++c) grid.at(t, c) = x[at(b, t, head, heads) + c];
    }
    return grid;
  }
  void put_head(const Grid& grid, std::size_t b, std::size_t head, std::size_t heads, bool add,
                std::vector<float>& x) const {
    for (std::size_t t = 0; t < grid.rows; ++t) {
      for (std::size_t c = 0; c < grid.cols; ++c) {
        float& out = x[at(b, t, head, heads) + c];
        out = add ? out + grid.at(t, c) : grid.at(t, c);
      }
    }
  }
};

/// One head of one sequence, read off docs/formats/exact-arithmetic.md.
struct PaperHead {
  Grid p, o, dq, dk, dv;

  PaperHead(const Grid& q, const Grid& k, const Grid& v, const Grid& d_o, float scale)
      : p(q.rows, q.rows), o(q.rows, q.cols), dq(o), dk(o), dv(o) {
    const std::vector<float> sums = softmax(q, k, scale);
    weigh(v, sums);
    backward(q, k, v, d_o, scale, sums);
  }

 private:
  std::vector<float> softmax(const Grid& q, const Grid& k, float scale) {
    const Grid s = *paper_x16(q, k);
    std::vector<float> sums;
    for (std::size_t i = 0; i < s.rows; ++i) {
      float largest = -std::numeric_limits<float>::infinity();
      for (std::size_t j = 0; j <= i; ++j) largest = std::max(largest, s.at(i, j) * scale);
      Lanes lanes{};
      for (std::size_t j = 0; j <= i; ++j) {
        const float score = s.at(i, j) * scale;
        kScalarElementwiseKernels.exp_row(&score, largest, 1, &p.at(i, j));
        lanes[j % 64] += p.at(i, j);
      }
      sums.push_back(halving_tree(lanes));
    }
    return sums;
  }

  void weigh(const Grid& v, const std::vector<float>& sums) {
    Grid weights(p.rows, p.rows);
    Grid integers(v.cols, v.rows);
    for (std::size_t j = 0; j < v.rows; ++j) {
      const int e = *paper_exponent(&v.values[j * v.cols], v.cols);
      for (std::size_t c = 0; c < v.cols; ++c) {
        integers.at(c, j) = std::rint(std::ldexp(v.at(j, c), -e));
      }
      for (std::size_t i = 0; i < p.rows; ++i) weights.at(i, j) = std::ldexp(p.at(i, j), e);
    }
    o = *paper_x16(weights, integers, true);
    for (std::size_t i = 0; i < o.rows; ++i) {
      for (std::size_t c = 0; c < o.cols; ++c) o.at(i, c) /= sums[i];
    }
  }

  void backward(const Grid& q, const Grid& k, const Grid& v, const Grid& d_o, float scale,
                const std::vector<float>& sums) {
    const Grid dp = *paper_x16(d_o, v);
    Grid probability(p.rows, p.rows);
    Grid g(p.rows, p.rows);
    for (std::size_t i = 0; i < p.rows; ++i) {
      Lanes lanes{};
      for (std::size_t c = 0; c < o.cols; ++c) {
        lanes[c % 64] = std::fma(d_o.at(i, c), o.at(i, c), lanes[c % 64]);
      }
      const float d = halving_tree(lanes);
      for (std::size_t j = 0; j <= i; ++j) {
        probability.at(i, j) = p.at(i, j) / sums[i];
        const float difference = dp.at(i, j) - d;
        const float raw = probability.at(i, j) * difference;
        g.at(i, j) = raw * scale;
      }
    }
    dq = *paper_x16(g, k.transposed());
    dk = *paper_x16(g.transposed(), q.transposed());
    dv = *paper_x16(probability.transposed(), d_o.transposed());
  }
};

/// What the page says of all heads.
Tensors paper_attention(const AttentionShape& shape, float size) {
  Tensors x(shape, size);
  const std::size_t group = shape.heads / shape.kv_heads;
  for (std::size_t b = 0; b < shape.batch; ++b) {
    for (std::size_t h = 0; h < shape.heads; ++h) {
      const PaperHead head(x.head_of(x.q, b, h, shape.heads),
                           x.head_of(x.k, b, h / group, shape.kv_heads),
                           x.head_of(x.v, b, h / group, shape.kv_heads),
                           x.head_of(x.d_o, b, h, shape.heads), shape.scale);
      x.put_head(head.o, b, h, shape.heads, false, x.o);
      x.put_head(head.dq, b, h, shape.heads, false, x.dq);
      x.put_head(head.dk, b, h / group, shape.kv_heads, h % group != 0, x.dk);
      x.put_head(head.dv, b, h / group, shape.kv_heads, h % group != 0, x.dv);
    }
  }
  return x;
}

void expect_paper_bits(const AttentionShape& shape, float size, bool all_threads) {
  const Tensors expected = paper_attention(shape, size);
  for (const Isa isa : available_isas()) {
    for (const unsigned threads : {1u, 2u, 3u, 5u}) {
      if (threads > 1 && !all_threads) continue;
      ThreadPool pool(threads);
      const auto engine = Engine::create(isa, pool);
      ASSERT_TRUE(engine);
      Tensors got(shape, size);
      ASSERT_TRUE(got.forward(*engine));
      ASSERT_TRUE(got.backward(*engine));
      const std::string where = std::string(isa_name(isa)) + ", sequence " +
                                std::to_string(shape.sequence) + ", head_dim " +
                                std::to_string(shape.head_dim);
      EXPECT_EQ(first_difference(got.o, expected.o), got.o.size()) << "o " << where;
      EXPECT_EQ(first_difference(got.dq, expected.dq), got.dq.size()) << "dq " << where;
      EXPECT_EQ(first_difference(got.dk, expected.dk), got.dk.size()) << "dk " << where;
      EXPECT_EQ(first_difference(got.dv, expected.dv), got.dv.size()) << "dv " << where;
    }
  }
}

TEST(Attention, EqualsThePageAtEverySmallLength) {
  for (std::size_t length = 1; length <= 34; ++length) {
    expect_paper_bits({1, length, 1, 1, 6, 0.4f}, 2.0f, false);
  }
}

TEST(Attention, EqualsThePageAroundLanesAndBlocks) {
  for (const std::size_t length : {63, 64, 65, 127, 129, 255, 256, 257}) {
    expect_paper_bits({1, length, 1, 1, 8, 0.35f}, 1.5f, false);
  }
  expect_paper_bits({1, 520, 1, 1, 5, 0.35f}, 1.0f, false);
}

TEST(Attention, EqualsThePageForWideHeads) {
  for (const std::size_t width : {1, 33, 64, 80, 256, 300}) {
    expect_paper_bits({1, 9, 1, 1, width, 0.1f}, 1.0f, false);
  }
}

TEST(Attention, EqualsThePageForGroupsAndBatchesOnAnyThreads) {
  expect_paper_bits({3, 20, 6, 2, 16, 0.25f}, 1.0f, true);
  expect_paper_bits({2, 7, 4, 1, 10, 0.3f}, 3.0f, true);
}

TEST(Attention, EqualsThePageWhereScoresLieFarApart) {
  // Most probabilities are +0, the rest nearly 1 or subnormal after weighting.
  expect_paper_bits({1, 40, 2, 1, 16, 0.25f}, 30.0f, false);
}

TEST(Attention, RowsDependOnNoLaterKey) {
  const AttentionShape shape{1, 140, 2, 1, 12, 0.3f};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Tensors x(shape);
    ASSERT_TRUE(x.forward(engine));
    for (const std::size_t row : {0, 1, 63, 127, 128, 138}) {
      Tensors y(shape);
      for (std::size_t i = y.at(0, row + 1, 0, 1); i < y.k.size(); ++i) {
        y.k[i] = 1000.0f - y.k[i];
        y.v[i] *= -1e6f;
      }
      ASSERT_TRUE(y.forward(engine));
      const auto end = static_cast<std::ptrdiff_t>(x.at(0, row + 1, 0, 2));
      EXPECT_TRUE(std::equal(x.o.begin(), x.o.begin() + end, y.o.begin())) << name << row;
      EXPECT_FALSE(std::equal(x.o.begin() + end, x.o.end(), y.o.begin() + end)) << name << row;
    }
  });
}

TEST(Attention, DecodingHasTheBitsOfEveryRow) {
  const AttentionShape shape{1, 270, 4, 2, 12, 0.3f};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Tensors x(shape);
    ASSERT_TRUE(x.forward(engine));
    for (std::size_t row = 0; row < shape.sequence; row += row < 70 ? 1 : 19) {
      const std::size_t at = x.at(0, row, 0, shape.heads);
      std::vector<float> o(shape.heads * shape.head_dim);
      ASSERT_TRUE(
          attention_decode(engine, shape, row + 1, &x.q[at], x.k.data(), x.v.data(), o.data()));
      EXPECT_TRUE(std::equal(o.begin(), o.end(), &x.o[at])) << name << ", row " << row;
    }
  });
}

TEST(Attention, SequencesOfABatchStandAlone) {
  const AttentionShape one{1, 30, 3, 1, 8, 0.3f};
  const AttentionShape two{2, 30, 3, 1, 8, 0.3f};
  with_scalar_engine([&](const Engine& engine) {
    Tensors batch(two);
    ASSERT_TRUE(batch.forward(engine));
    Tensors alone(one);
    const auto copy = [](const std::vector<float>& from, std::vector<float>& to) {
      std::copy_n(from.end() - static_cast<std::ptrdiff_t>(to.size()), to.size(), to.begin());
    };
    copy(batch.q, alone.q);
    copy(batch.k, alone.k);
    copy(batch.v, alone.v);
    ASSERT_TRUE(alone.forward(engine));
    EXPECT_TRUE(std::equal(alone.o.rbegin(), alone.o.rend(), batch.o.rbegin()));
  });
}

/// The sum over outputs of d_o * attention(q, k, v), in fp64.
double objective(const Tensors& x) {
  const AttentionShape& s = x.shape;
  double total = 0;
  for (std::size_t b = 0; b < s.batch; ++b) {
    for (std::size_t h = 0; h < s.heads; ++h) {
      const std::size_t g = h / (s.heads / s.kv_heads);
      for (std::size_t i = 0; i < s.sequence; ++i) {
        double sum = 0, value = 0;
        for (std::size_t j = 0; j <= i; ++j) {
          double score = 0, product = 0;
          for (std::size_t c = 0; c < s.head_dim; ++c) {
            const std::size_t key = x.at(b, j, g, s.kv_heads) + c;
            const std::size_t query = x.at(b, i, h, s.heads) + c;
            score += double{x.q[query]} * double{x.k[key]};
            product += double{x.d_o[query]} * double{x.v[key]};
          }
          const double weight = std::exp(score * double{s.scale});
          sum += weight;
          value += weight * product;
        }
        total += value / sum;
      }
    }
  }
  return total;
}

/// Relative error of a gradient against central differences of the fp64 objective.
double gradient_error(const Tensors& x, std::vector<float> Tensors::*input,
                      const std::vector<float>& gradient) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    constexpr float kStep = 0x1p-10f;
    Tensors up = x;
    Tensors down = x;
    (up.*input)[i] += kStep;
    (down.*input)[i] -= kStep;
    const double width = double{(up.*input)[i]} - double{(down.*input)[i]};
    const double exact = (objective(up) - objective(down)) / width;
    error += (double{gradient[i]} - exact) * (double{gradient[i]} - exact);
    size += exact * exact;
  }
  return std::sqrt(error / size);
}

TEST(Attention, GradientsAreThoseOfTheFunction) {
  with_scalar_engine([&](const Engine& engine) {
    Tensors x({2, 7, 4, 2, 5, 0.45f});
    ASSERT_TRUE(x.forward(engine));
    ASSERT_TRUE(x.backward(engine));
    EXPECT_LT(gradient_error(x, &Tensors::q, x.dq), 1e-3);
    EXPECT_LT(gradient_error(x, &Tensors::k, x.dk), 1e-3);
    EXPECT_LT(gradient_error(x, &Tensors::v, x.dv), 1e-3);
    x.dq[3] += 0.01f;  // the check can fail
    EXPECT_GT(gradient_error(x, &Tensors::q, x.dq), 1e-3);
  });
}

TEST(Attention, NonFiniteOperandsAreRefusedInEveryPlace) {
  const float lies[] = {std::numeric_limits<float>::infinity(),
                        std::numeric_limits<float>::quiet_NaN(), -0x1p70f};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    for (const float lie : lies) {
      const AttentionShape shape{1, 9, 2, 1, 6, 0.3f};
      for (const auto input : {&Tensors::q, &Tensors::k, &Tensors::v}) {
        Tensors x(shape);
        (x.*input).back() = lie;
        const Status done = x.forward(engine);
        ASSERT_FALSE(done) << name;
        EXPECT_EQ(done.error().code, Code::kNonFinite);
      }
      Tensors x(shape);
      ASSERT_TRUE(x.forward(engine));
      x.d_o.back() = lie;
      EXPECT_FALSE(x.backward(engine)) << name;
      x.v.back() = lie;
      EXPECT_FALSE(
          attention_decode(engine, shape, 9, x.q.data(), x.k.data(), x.v.data(), x.o.data()))
          << name;
    }
  });
}

TEST(Attention, ScoresThatOverflowFailOnlyWhereTheyAreSeen) {
  // Query 0 times key 1 overflows; query 1 is zero, so nothing that is seen does.
  const AttentionShape shape{1, 2, 1, 1, 1, 1.0f};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Tensors x(shape);
    x.q = {0x1p69f, 0.0f};
    x.k = {1.0f, 0x1p69f};
    EXPECT_TRUE(x.forward(engine)) << name;
    x.q = {0x1p69f, 0x1p69f};
    EXPECT_FALSE(x.forward(engine)) << name;
    // A difference of scores may overflow: its weight is +0.
    x.q = {1.0f, 0x1p63f};
    x.k = {-0x1.8p64f, 0x1.8p64f};
    x.v = {5.0f, 7.0f};
    ASSERT_TRUE(x.forward(engine)) << name;
    EXPECT_EQ(x.o[1], 7.0f) << name;
  });
}

}  // namespace
}  // namespace aftune::numerics
