// SPDX-License-Identifier: Apache-2.0
// Attention once more for tests: read off docs/formats/exact-arithmetic.md with x16 of
// test_x16.h, and in fp64.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "aftune/numerics/attention.h"
#include "aftune/numerics/internal/elementwise_kernels.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/test_engines.h"
#include "aftune/numerics/internal/test_x16.h"

namespace aftune::numerics {

using Lanes = std::array<float, 64>;

inline float halving_tree(Lanes lanes) {
  for (std::size_t width = 32; width >= 1; width /= 2) {
    for (std::size_t t = 0; t < width; ++t) lanes[t] += lanes[t + width];
  }
  return lanes[0];
}

/// All tensors of one attention, with operands of seeds that never change.
struct AttentionTensors {
  AttentionShape shape;
  std::vector<float> q, k, v, o, d_o, dq, dk, dv;

  explicit AttentionTensors(const AttentionShape& s, float size = 1.0f) : shape(s) {
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

  PaperHead(const Grid& q, const Grid& k, const Grid& v, const Grid& d_o, Mask mask, float scale)
      : p(q.rows, q.rows), o(q.rows, q.cols), dq(o), dk(o), dv(o), mask_(mask) {
    const std::vector<float> sums = softmax(q, k, scale);
    weigh(v, sums);
    backward(q, k, v, d_o, scale, sums);
  }

 private:
  [[nodiscard]] std::size_t visible(std::size_t i) const {
    return mask_ == Mask::kCausal ? i + 1 : p.rows;
  }

  std::vector<float> softmax(const Grid& q, const Grid& k, float scale) {
    const Grid s = *paper_x16(q, k);
    std::vector<float> sums;
    for (std::size_t i = 0; i < s.rows; ++i) {
      float largest = -std::numeric_limits<float>::infinity();
      for (std::size_t j = 0; j < visible(i); ++j) largest = std::max(largest, s.at(i, j) * scale);
      Lanes lanes{};
      for (std::size_t j = 0; j < visible(i); ++j) {
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
      for (std::size_t j = 0; j < visible(i); ++j) {
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

  Mask mask_;
};

/// What the page says of all heads.
inline AttentionTensors paper_attention(const AttentionShape& shape, float size) {
  AttentionTensors x(shape, size);
  const std::size_t group = shape.heads / shape.kv_heads;
  for (std::size_t b = 0; b < shape.batch; ++b) {
    for (std::size_t h = 0; h < shape.heads; ++h) {
      const PaperHead head(x.head_of(x.q, b, h, shape.heads),
                           x.head_of(x.k, b, h / group, shape.kv_heads),
                           x.head_of(x.v, b, h / group, shape.kv_heads),
                           x.head_of(x.d_o, b, h, shape.heads), shape.mask, shape.scale);
      x.put_head(head.o, b, h, shape.heads, false, x.o);
      x.put_head(head.dq, b, h, shape.heads, false, x.dq);
      x.put_head(head.dk, b, h / group, shape.kv_heads, h % group != 0, x.dk);
      x.put_head(head.dv, b, h / group, shape.kv_heads, h % group != 0, x.dv);
    }
  }
  return x;
}

inline void expect_paper_bits(const AttentionShape& shape, float size, bool all_threads) {
  const AttentionTensors expected = paper_attention(shape, size);
  for (const Isa isa : available_isas()) {
    for (const unsigned threads : {1u, 2u, 3u, 5u}) {
      if (threads > 1 && !all_threads) continue;
      ThreadPool pool(threads);
      const auto engine = Engine::create(isa, pool);
      ASSERT_TRUE(engine);
      AttentionTensors got(shape, size);
      ASSERT_TRUE(got.forward(*engine));
      ASSERT_TRUE(got.backward(*engine));
      const std::string where = std::string(isa_name(isa)) + ", sequence " +
                                std::to_string(shape.sequence) +
                                (shape.mask == Mask::kFull ? ", full" : ", causal") +
                                ", head_dim " + std::to_string(shape.head_dim);
      EXPECT_EQ(first_difference(got.o, expected.o), got.o.size()) << "o " << where;
      EXPECT_EQ(first_difference(got.dq, expected.dq), got.dq.size()) << "dq " << where;
      EXPECT_EQ(first_difference(got.dk, expected.dk), got.dk.size()) << "dk " << where;
      EXPECT_EQ(first_difference(got.dv, expected.dv), got.dv.size()) << "dv " << where;
    }
  }
}

/// One head of one sequence in fp64. P's row i is softmax over the visible keys.
struct TrueHead {
  using Rows = std::vector<std::vector<double>>;
  Rows o, dq, dk, dv;

  TrueHead(const Grid& q, const Grid& k, const Grid& v, const Grid& d_o, Mask mask, double scale)
      : o(q.rows, std::vector<double>(q.cols)), dq(o), dk(o), dv(o) {
    for (std::size_t i = 0; i < q.rows; ++i) {
      const std::size_t visible = mask == Mask::kCausal ? i + 1 : k.rows;
      std::vector<double> p(visible), dp(visible);
      double sum = 0, d = 0;
      for (std::size_t j = 0; j < visible; ++j) sum += p[j] = std::exp(scale * dot(q, i, k, j));
      for (std::size_t j = 0; j < visible; ++j) {
        p[j] /= sum;
        dp[j] = dot(d_o, i, v, j);
        d += p[j] * dp[j];
      }
      for (std::size_t j = 0; j < visible; ++j) {
        const double g = p[j] * (dp[j] - d) * scale;
        for (std::size_t c = 0; c < q.cols; ++c) {
          o[i][c] += p[j] * static_cast<double>(v.at(j, c));
          dq[i][c] += g * static_cast<double>(k.at(j, c));
          dk[j][c] += g * static_cast<double>(q.at(i, c));
          dv[j][c] += p[j] * static_cast<double>(d_o.at(i, c));
        }
      }
    }
  }

  /// Frobenius norm of the difference over that of the truth.
  static double error(const Grid& got, const Rows& truth) {
    double apart = 0, size = 0;
    for (std::size_t i = 0; i < got.rows; ++i) {
      for (std::size_t c = 0; c < got.cols; ++c) {
        const double difference = static_cast<double>(got.at(i, c)) - truth[i][c];
        apart += difference * difference;
        size += truth[i][c] * truth[i][c];
      }
    }
    return std::sqrt(apart / size);
  }

 private:
  static double dot(const Grid& a, std::size_t i, const Grid& b, std::size_t j) {
    double sum = 0;
    for (std::size_t c = 0; c < a.cols; ++c) {
      sum += static_cast<double>(a.at(i, c)) * static_cast<double>(b.at(j, c));
    }
    return sum;
  }
};

}  // namespace aftune::numerics
