// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/layer_norm.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>

#include "aftune/numerics/internal/test_engines.h"

namespace aftune::numerics {
namespace {

using Values = std::vector<float>;

constexpr float kEps = 1e-2F;  // large, so that a test sees it

// The formulas of docs/formats/exact-arithmetic.md once more, index by index.

float sum_in_lanes(std::size_t n, const std::function<float(std::size_t, float)>& enter) {
  std::array<float, 64> lane{};
  for (std::size_t i = 0; i < n; ++i) lane[i % 64] = enter(i, lane[i % 64]);
  for (std::size_t w = 32; w > 0; w /= 2) {
    for (std::size_t t = 0; t < w; ++t) lane[t] = lane[t] + lane[t + w];
  }
  return lane[0];
}

struct PageRow {
  Values h, dx;
};

/// h and dx of one row.
PageRow row_of_the_page(const float* x, const float* w, const float* dy, std::size_t n) {
  const auto width = static_cast<float>(n);
  const float mean = sum_in_lanes(n, [&](auto i, float s) { return s + x[i]; }) / width;
  const float square =
      sum_in_lanes(n, [&](auto i, float s) { return std::fma(x[i] - mean, x[i] - mean, s); });
  const float scale = 1.0F / std::sqrt(square / width + kEps);
  PageRow out{Values(n), Values(n)};
  for (std::size_t i = 0; i < n; ++i) out.h[i] = (x[i] - mean) * scale;
  const float c =
      sum_in_lanes(n, [&](auto i, float s) { return std::fma(dy[i] * w[i], out.h[i], s); }) / width;
  const float a = sum_in_lanes(n, [&](auto i, float s) { return s + dy[i] * w[i]; }) / width;
  for (std::size_t i = 0; i < n; ++i) {
    out.dx[i] = scale * std::fma(-out.h[i], c, dy[i] * w[i] - a);
  }
  return out;
}

struct Operands {
  Operands(std::size_t row_count, std::size_t width)
      : rows(row_count),
        cols(width),
        x(normal_values(rows * cols, 1, 3)),
        w(normal_values(cols, 2)),
        b(normal_values(cols, 4)),
        dy(normal_values(rows * cols, 3)) {}

  [[nodiscard]] ConstMatrix matrix(const Values& values) const {
    return {values.data(), rows, cols};
  }
  [[nodiscard]] Matrix matrix(Values& values) const { return {values.data(), rows, cols}; }
  [[nodiscard]] LayerNormWeights norm() const { return {w, b, kEps}; }

  std::size_t rows, cols;
  Values x, w, b, dy;
};

struct Gradients {
  Values dx, dw, db;
};

Gradients gradients_of(const Engine& engine, const Operands& in, Store store) {
  Gradients out{Values(in.rows * in.cols, 0.5F), Values(in.cols, 0.25F), Values(in.cols, 0.125F)};
  layer_norm_grad(engine, in.matrix(in.x), in.norm(), in.matrix(in.dy), in.matrix(out.dx), store,
                  out.dw, out.db);
  return out;
}

TEST(LayerNorm, FollowsTheFormatPageOnEveryEngine) {
  for (const auto& shape : {std::pair<std::size_t, std::size_t>{1, 1}, {131, 65}, {5, 577}}) {
    // By hand: clang 14 captures no structured binding in a lambda.
    const std::size_t rows = shape.first, cols = shape.second;
    const Operands in(rows, cols);
    for_each_engine([&](const Engine& engine, const std::string& name) {
      Values y(rows * cols);
      layer_norm(engine, in.matrix(in.x), in.norm(), in.matrix(y));
      const Gradients written = gradients_of(engine, in, Store::kWrite);
      const Gradients added = gradients_of(engine, in, Store::kAdd);
      std::vector<PageRow> page;
      for (std::size_t t = 0; t < rows; ++t) {
        page.push_back(row_of_the_page(&in.x[t * cols], in.w.data(), &in.dy[t * cols], cols));
        for (std::size_t i = 0; i < cols; ++i) {
          ASSERT_EQ(y[t * cols + i], std::fma(page[t].h[i], in.w[i], in.b[i])) << name;
          ASSERT_EQ(written.dx[t * cols + i], page[t].dx[i]) << name;
          ASSERT_EQ(added.dx[t * cols + i], 0.5F + page[t].dx[i]) << name;
        }
      }
      for (std::size_t i = 0; i < cols; ++i) {
        const auto dy = [&](std::size_t t) { return in.dy[t * cols + i]; };
        const float dw =
            sum_in_lanes(rows, [&](auto t, float s) { return std::fma(dy(t), page[t].h[i], s); });
        const float db = sum_in_lanes(rows, [&](auto t, float s) { return s + dy(t); });
        ASSERT_EQ(written.dw[i], 0.25F + dw) << name;
        ASSERT_EQ(written.db[i], 0.125F + db) << name;
      }
    });
  }
}

double norm_and_dot(const std::vector<double>& x, const Operands& in, std::size_t row) {
  double mean = 0, square = 0, sum = 0;
  const auto width = static_cast<double>(x.size());
  for (const double value : x) mean += value / width;
  for (const double value : x) square += (value - mean) * (value - mean) / width;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double y = (x[i] - mean) / std::sqrt(square + double{kEps}) * in.w[i] + in.b[i];
    sum += y * in.dy[row * in.cols + i];
  }
  return sum;
}

TEST(LayerNorm, IsNearTheTrueSlopes) {
  const Operands in(3, 67);
  with_scalar_engine([&](const Engine& engine) {
    const Gradients got = gradients_of(engine, in, Store::kWrite);
    for (std::size_t t = 0; t < in.rows; ++t) {
      std::vector<double> row(in.x.begin() + static_cast<std::ptrdiff_t>(t * in.cols),
                              in.x.begin() + static_cast<std::ptrdiff_t>((t + 1) * in.cols));
      for (std::size_t i = 0; i < in.cols; ++i) {
        const double at = row[i];
        row[i] = at + 1e-5;
        const double above = norm_and_dot(row, in, t);
        row[i] = at - 1e-5;
        ASSERT_NEAR(got.dx[t * in.cols + i], (above - norm_and_dot(row, in, t)) / 2e-5, 5e-6);
        row[i] = at;
      }
    }
  });
}

TEST(LayerNorm, GradientMayBeWrittenOverTheOneItComesFrom) {
  const Operands in(70, 67);
  with_scalar_engine([&](const Engine& engine) {
    const Gradients apart = gradients_of(engine, in, Store::kWrite);
    Values both = in.dy, dw(in.cols, 0.25F), db(in.cols, 0.125F);
    layer_norm_grad(engine, in.matrix(in.x), in.norm(), in.matrix(both), in.matrix(both),
                    Store::kWrite, dw, db);
    EXPECT_EQ(both, apart.dx);
    EXPECT_EQ(dw, apart.dw);
    EXPECT_EQ(db, apart.db);
  });
}

TEST(LayerNorm, EveryThirdRowIsNormedAsIfItStoodAlone) {
  const Operands in(12, 20);
  with_scalar_engine([&](const Engine& engine) {
    Values all(in.x.size()), some(4 * in.cols);
    layer_norm(engine, in.matrix(in.x), in.norm(), in.matrix(all));
    layer_norm(engine, {in.x.data(), 4, in.cols, 3 * in.cols}, in.norm(),
               {some.data(), 4, in.cols});
    for (std::size_t i = 0; i < some.size(); ++i) {
      ASSERT_EQ(some[i], all[i / in.cols * 3 * in.cols + i % in.cols]);
    }
  });
}

TEST(LayerNorm, DoesNotSeeWhatIsAddedToAWholeRow) {
  with_scalar_engine([](const Engine& engine) {
    const Values x = {1, 2, 4, 5}, shifted = {65, 66, 68, 69}, w(4, 1.0F), b(4, 0.0F);
    Values y(4), z(4);
    layer_norm(engine, {x.data(), 1, 4}, {w, b, kEps}, {y.data(), 1, 4});
    layer_norm(engine, {shifted.data(), 1, 4}, {w, b, kEps}, {z.data(), 1, 4});
    EXPECT_EQ(y, z);
  });
}

TEST(ScaledColumns, FollowTheFormatPageOnEveryEngine) {
  const Operands in(131, 65);
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Values y(in.x.size()), dx(in.x.size()), ds(in.cols, 0.25F);
    scale_columns(engine, in.matrix(in.x), in.w, in.matrix(y));
    scale_columns_grad(engine, in.matrix(in.x), in.w, in.matrix(in.dy), in.matrix(dx), ds);
    for (std::size_t i = 0; i < y.size(); ++i) {
      ASSERT_EQ(y[i], in.x[i] * in.w[i % in.cols]) << name;
      ASSERT_EQ(dx[i], in.dy[i] * in.w[i % in.cols]) << name;
    }
    for (std::size_t i = 0; i < in.cols; ++i) {
      const float sum = sum_in_lanes(in.rows, [&](auto t, float s) {
        return std::fma(in.dy[t * in.cols + i], in.x[t * in.cols + i], s);
      });
      ASSERT_EQ(ds[i], 0.25F + sum) << name << " column " << i;
    }
  });
}

TEST(ColumnMeans, AreSumsInLanesDividedOnce) {
  const Operands in(131, 65);
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Values mean(in.cols, 7.0F), gradient(in.cols);
    column_means(engine, in.matrix(in.x), mean);
    divide_by_count(mean, 131, gradient);
    for (std::size_t i = 0; i < in.cols; ++i) {
      const float sum =
          sum_in_lanes(in.rows, [&](auto t, float s) { return s + in.x[t * in.cols + i]; });
      ASSERT_EQ(mean[i], sum / 131.0F) << name;
      ASSERT_EQ(gradient[i], mean[i] / 131.0F) << name;
    }
  });
}

TEST(LayerNormDeathTest, RefusesOperandsThatDoNotFit) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  with_scalar_engine([](const Engine& engine) {
    Values two(2), three(3);
    const ConstMatrix x(two.data(), 1, 2);
    EXPECT_DEATH(layer_norm(engine, x, {three, two, kEps}, {two.data(), 1, 2}), "shape");
    EXPECT_DEATH(layer_norm(engine, x, {two, two, kEps}, {three.data(), 1, 3}), "shape");
    EXPECT_DEATH(scale_columns(engine, x, three, {two.data(), 1, 2}), "shape");
  });
}

}  // namespace
}  // namespace aftune::numerics
