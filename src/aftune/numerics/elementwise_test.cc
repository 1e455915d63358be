// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/elementwise.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "aftune/numerics/internal/test_engines.h"

namespace aftune::numerics {
namespace {

using Values = std::vector<float>;

/// The derivative of `f` at x[i], by a central difference in fp64.
double slope(const std::function<double(const std::vector<double>&)>& f, const Values& x,
             std::size_t i) {
  std::vector<double> moved(x.begin(), x.end());
  constexpr double kStep = 1e-5;
  moved[i] = x[i] + kStep;
  const double above = f(moved);
  moved[i] = x[i] - kStep;
  return (above - f(moved)) / (2 * kStep);
}

double silu(double x) { return x / (1 + std::exp(-x)); }

// One operation a function: runs it on sizes over a thread's share and returns what it wrote.

Values run_elements(const Engine& engine) {
  const std::size_t n = 50001;
  const Values a = normal_values(n, 1, 4), b = normal_values(n, 2), d = normal_values(n, 3);
  Values sum(n), out(n), d_gate(n), d_up(n);
  add(engine, a, b, sum);
  swiglu(engine, a, b, out);
  swiglu_grad(engine, a, b, d, d_gate, d_up);
  for (const Values* part : {&out, &d_gate, &d_up})
    sum.insert(sum.end(), part->begin(), part->end());
  return sum;
}

Values run_norm(const Engine& engine) {
  const std::size_t rows = 131, cols = 577;
  const Values x = normal_values(rows * cols, 1), w = normal_values(cols, 2),
               dy = normal_values(rows * cols, 3);
  Values y(rows * cols), dx(rows * cols, 0.5f), dw(cols, 0.25f);
  rms_norm(engine, {x.data(), rows, cols}, w, 1e-5f, {y.data(), rows, cols});
  rms_norm_grad(engine, {x.data(), rows, cols}, w, 1e-5f, {dy.data(), rows, cols},
                {dx.data(), rows, cols}, Store::kAdd, dw);
  y.insert(y.end(), dx.begin(), dx.end());
  y.insert(y.end(), dw.begin(), dw.end());
  return y;
}

Values run_rotary_and_embedding(const Engine& engine) {
  const std::size_t rows = 150, cols = 3 * 64, half = 32, positions = 50;
  Values inv_freq(half), cos(positions * half), sin(positions * half);
  for (std::size_t i = 0; i < half; ++i) inv_freq[i] = 1.0f / static_cast<float>(i * i + 1);
  rotary_table(inv_freq, 0, {cos.data(), positions, half}, {sin.data(), positions, half});
  Values x = normal_values(rows * cols, 1);
  rotary(engine, {x.data(), rows, cols}, 64, {cos.data(), positions, half},
         {sin.data(), positions, half}, 1);
  std::vector<std::int32_t> ids(rows);
  for (std::size_t t = 0; t < rows; ++t) ids[t] = static_cast<std::int32_t>(t * t % 7);
  Values d_table(7 * cols, 0.125f);
  embedding_grad(engine, ids, {x.data(), rows, cols}, {d_table.data(), 7, cols});
  embedding(engine, {d_table.data(), 7, cols}, ids, {x.data(), rows, cols});
  x.insert(x.end(), d_table.begin(), d_table.end());
  return x;
}

TEST(Elementwise, GivesTheSameBitsOnEveryEngine) {
  for (const auto& run : {run_elements, run_norm, run_rotary_and_embedding}) {
    Values first;
    for_each_engine([&](const Engine& engine, const std::string& name) {
      const Values out = run(engine);
      if (first.empty()) first = out;
      EXPECT_EQ(first_difference(first, out), out.size()) << name;
    });
  }
}

TEST(Add, RoundsOnceAndMayWriteOverAnOperand) {
  for_each_engine([](const Engine& engine, const std::string& name) {
    Values a = {1.0f, -0.0f, 0x1p-149f, 3e38f};
    const Values b = {0x1.8p-24f, -0.0f, 0x1p-149f, 3e38f};
    add(engine, a, b, a);
    EXPECT_EQ(a, (Values{0x1.000002p+0f, -0.0f, 0x1p-148f, INFINITY})) << name;
    EXPECT_TRUE(std::signbit(a[1])) << name;
  });
}

TEST(Swiglu, IsNearTheTrueValueAndSlope) {
  const Values gate = normal_values(500, 7, 6), up = normal_values(500, 8),
               d_out = normal_values(500, 9);
  with_scalar_engine([&](const Engine& engine) {
    Values out(500), d_gate(500), d_up = d_out;
    swiglu(engine, gate, up, out);
    swiglu_grad(engine, gate, up, d_up, d_gate, d_up);
    for (std::size_t i = 0; i < 500; ++i) {
      const double g = gate[i], u = up[i], d = d_out[i];
      EXPECT_NEAR(out[i], silu(g) * u, 1e-6 * std::fabs(g * u));
      const auto f = [&](const std::vector<double>& x) { return d * silu(x[i]) * u; };
      EXPECT_NEAR(d_gate[i], slope(f, gate, i), 2e-6 * (1 + std::fabs(u * d)));
      EXPECT_NEAR(d_up[i], d * silu(g), 1e-6 * std::fabs(d * g));
    }
  });
}

TEST(Swiglu, VanishesForVeryNegativeGates) {
  with_scalar_engine([](const Engine& engine) {
    const Values gate = {-89, -1000, -3e38f}, up = {2, 2, 2}, d = {1, 1, 1};
    Values out(3), d_gate(3), d_up(3);
    swiglu(engine, gate, up, out);
    swiglu_grad(engine, gate, up, d, d_gate, d_up);
    EXPECT_EQ(out, Values(3, 0.0f));
    EXPECT_EQ(d_up, Values(3, 0.0f));
    EXPECT_EQ(d_gate[1], 0.0f);
  });
}

constexpr double kEps = 1e-2;  // large, so that a test sees it

double norm_and_dot(const std::vector<double>& x, const Values& w, const Values& dy) {
  double square = 0, sum = 0;
  for (const double value : x) square += value * value;
  const double scale = 1 / std::sqrt(square / static_cast<double>(x.size()) + kEps);
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * scale * w[i] * dy[i];
  return sum;
}

TEST(RmsNorm, IsNearTheTrueValueAndSlopes) {
  const std::size_t rows = 70, cols = 67;  // more rows than lanes, more columns than a chunk
  const Values x = normal_values(rows * cols, 1), w = normal_values(cols, 2),
               dy = normal_values(rows * cols, 3);
  with_scalar_engine([&](const Engine& engine) {
    Values y(rows * cols), dx = dy, dw(cols, 1.0f);
    std::vector<double> want_dw(cols, 1.0);
    rms_norm(engine, {x.data(), rows, cols}, w, static_cast<float>(kEps), {y.data(), rows, cols});
    rms_norm_grad(engine, {x.data(), rows, cols}, w, static_cast<float>(kEps),
                  {dx.data(), rows, cols}, {dx.data(), rows, cols}, Store::kWrite, dw);
    for (std::size_t t = 0; t < rows; ++t) {
      const auto begin = static_cast<std::ptrdiff_t>(t * cols);
      const Values row(x.begin() + begin, x.begin() + begin + cols);
      const Values dy_row(dy.begin() + begin, dy.begin() + begin + cols);
      double square = 0;
      for (const double value : row) square += value * value;
      const double scale = 1 / std::sqrt(square / cols + kEps);
      for (std::size_t i = 0; i < cols; ++i) {
        ASSERT_NEAR(y[t * cols + i], row[i] * scale * w[i], 2e-6);
        const auto f = [&](const std::vector<double>& v) { return norm_and_dot(v, w, dy_row); };
        ASSERT_NEAR(dx[t * cols + i], slope(f, row, i), 5e-6);
        want_dw[i] += row[i] * scale * dy_row[i];
      }
    }
    for (std::size_t i = 0; i < cols; ++i) EXPECT_NEAR(dw[i], want_dw[i], 1e-5);
  });
}

TEST(RmsNorm, StoreAddsTheGradientByOneAddition) {
  const Values x = normal_values(65, 1), w = normal_values(65, 2), dy = normal_values(65, 3);
  with_scalar_engine([&](const Engine& engine) {
    Values written(65), added(65, 0.75f), dw(65), dw_again(65);
    rms_norm_grad(engine, {x.data(), 1, 65}, w, 1e-5f, {dy.data(), 1, 65}, {written.data(), 1, 65},
                  Store::kWrite, dw);
    rms_norm_grad(engine, {x.data(), 1, 65}, w, 1e-5f, {dy.data(), 1, 65}, {added.data(), 1, 65},
                  Store::kAdd, dw_again);
    for (std::size_t i = 0; i < 65; ++i) EXPECT_EQ(added[i], 0.75f + written[i]);
    EXPECT_EQ(dw, dw_again);
  });
}

TEST(RmsNorm, LeavesWhatLiesBetweenRows) {
  Values x = normal_values(6, 1), y(6, 9.0f);
  const Values w = {1, 1};
  with_scalar_engine([&](const Engine& engine) {
    rms_norm(engine, {x.data(), 2, 2, 3}, w, 1e-5f, {y.data(), 2, 2, 3});
    EXPECT_EQ(y[2], 9.0f);
    EXPECT_EQ(y[5], 9.0f);
    EXPECT_NE(y[3], 9.0f);
  });
}

TEST(RotaryTable, RoundsTheAngleToFp32First) {
  const Values inv_freq = {0.1f, 0.7f};
  Values cos(4), sin(4);
  rotary_table(inv_freq, 8190, {cos.data(), 2, 2}, {sin.data(), 2, 2});
  for (std::size_t row = 0; row < 2; ++row) {
    for (std::size_t i = 0; i < 2; ++i) {
      const float angle = static_cast<float>(8190 + row) * inv_freq[i];
      EXPECT_EQ(cos[row * 2 + i], static_cast<float>(std::cos(double{angle})));
      EXPECT_EQ(sin[row * 2 + i], static_cast<float>(std::sin(double{angle})));
    }
  }
  const double unrounded = 8191 * double{inv_freq[0]};
  EXPECT_NE(cos[2], static_cast<float>(std::cos(unrounded)));
}

TEST(Rotary, TurnsPairsHalfAHeadApartAndBack) {
  const Values cos = {0.6f, 0.0f}, sin = {0.8f, 1.0f};
  const Values start = {1, 2, 3, 4, 5, 6, 7, 8};  // two heads of two pairs
  with_scalar_engine([&](const Engine& engine) {
    Values x = start;
    rotary(engine, {x.data(), 1, 8}, 4, {cos.data(), 1, 2}, {sin.data(), 1, 2}, 1);
    const Values want = {0.6f - 2.4f, -4, 0.8f + 1.8f, 2, 3 - 5.6f, -8, 4 + 4.2f, 6};
    for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(x[i], want[i], 1e-6) << i;
    Values twice = x;
    rotary(engine, {x.data(), 1, 8}, 4, {cos.data(), 1, 2}, {sin.data(), 1, 2}, -1);
    for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(x[i], start[i], 1e-6) << i;
    rotary(engine, {twice.data(), 1, 8}, 4, {cos.data(), 1, 2}, {sin.data(), 1, 2}, 1);
    EXPECT_GT(std::fabs(twice[0] - start[0]), 1) << "forward again is no way back";
  });
}

TEST(Rotary, StartsTheTableAgainWithEachSequence) {
  const Values cos = {1.0f, 0.0f}, sin = {0.0f, 1.0f};  // two positions of one pair
  Values x = {1, 2, 1, 2, 1, 2, 1, 2};
  with_scalar_engine([&](const Engine& engine) {
    rotary(engine, {x.data(), 4, 2}, 2, {cos.data(), 2, 1}, {sin.data(), 2, 1}, 1);
    EXPECT_EQ(x, (Values{1, 2, -2, 1, 1, 2, -2, 1}));
  });
}

TEST(EmbeddingGrad, AddsTokensInAscendingOrder) {
  const std::vector<std::int32_t> ids = {2, 0, 2, 2};
  const Values d_out = {1.0f, 5.0f, 0x1p-24f, 0x1p-24f};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Values d_table = {0, 0, 0};
    embedding_grad(engine, ids, {d_out.data(), 4, 1}, {d_table.data(), 3, 1});
    // Each small term is lost against 1; added together first they would not be.
    EXPECT_EQ(d_table, (Values{5, 0, 1})) << name;
  });
}

TEST(Embedding, CopiesBits) {
  const Values table = {1, -0.0f, 0x1p-149f, 4};
  const std::vector<std::int32_t> ids = {1, 0, 1};
  with_scalar_engine([&](const Engine& engine) {
    Values out(6);
    embedding(engine, {table.data(), 2, 2}, ids, {out.data(), 3, 2});
    EXPECT_EQ(first_difference(out, {0x1p-149f, 4, 1, -0.0f, 0x1p-149f, 4}), 6u);
  });
}

TEST(AllFinite, FindsOneValueAnywhere) {
  for_each_engine([](const Engine& engine, const std::string& name) {
    Values values = wild_values(40000, 1);
    EXPECT_TRUE(all_finite(engine, values)) << name;
    EXPECT_TRUE(all_finite(engine, {})) << name;
    for (const float lie : {INFINITY, -INFINITY, NAN, -NAN}) {
      for (const std::size_t at : {0, 16383, 16384, 39999}) {
        const float honest = std::exchange(values[at], lie);
        EXPECT_FALSE(all_finite(engine, values)) << lie << " at " << at << ", " << name;
        values[at] = honest;
      }
    }
  });
}

TEST(ElementwiseDeathTest, RefusesOperandsThatDoNotFit) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  with_scalar_engine([](const Engine& engine) {
    Values two(2), three(3);
    const std::vector<std::int32_t> outside = {3}, negative = {-1};
    EXPECT_DEATH(add(engine, two, three, two), "length");
    EXPECT_DEATH(embedding(engine, {three.data(), 3, 1}, outside, {two.data(), 1, 1}), "table");
    EXPECT_DEATH(embedding(engine, {three.data(), 3, 1}, negative, {two.data(), 1, 1}), "table");
    EXPECT_DEATH(rotary(engine, {three.data(), 1, 3}, 2, {two.data(), 1, 1}, {two.data(), 1, 1}, 1),
                 "whole heads");
  });
}

}  // namespace
}  // namespace aftune::numerics
