// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/product.h"

#include <gtest/gtest.h>

#include <limits>

#include "aftune/numerics/internal/test_engines.h"
#include "aftune/numerics/internal/test_x16.h"

namespace aftune::numerics {
namespace {

ConstMatrix grid_view(const Grid& grid) { return {grid.values.data(), grid.rows, grid.cols}; }
Matrix grid_view(Grid& grid) { return {grid.values.data(), grid.rows, grid.cols}; }

Grid normal_grid(std::size_t rows, std::size_t cols, std::uint32_t seed) {
  return {rows, cols, normal_values(rows * cols, seed)};
}

/// The three products of one layer: y, dx, dw.
struct Layer {
  Grid x_TK, w_NK, dy_TN;

  Layer(std::size_t tokens, std::size_t outputs, std::size_t inputs)
      : x_TK(normal_grid(tokens, inputs, 1)),
        w_NK(normal_grid(outputs, inputs, 2)),
        dy_TN(normal_grid(tokens, outputs, 3)) {}
};

void expect_bits(const Grid& got, const Grid& expected, const std::string& where) {
  const std::size_t index = first_difference(got.values, expected.values);
  EXPECT_EQ(index, got.values.size()) << where << ", index " << index;
}

TEST(Product, EveryEngineGivesThePagesBits) {
  const Layer layer(70, 300, 290);
  const auto y = paper_x16(layer.x_TK, layer.w_NK);
  const auto dx = paper_x16(layer.dy_TN, layer.w_NK.transposed());
  const auto dw = paper_x16(layer.dy_TN.transposed(), layer.x_TK.transposed());
  ASSERT_TRUE(y && dx && dw);
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Grid got_y(70, 300), got_dx(70, 290), got_dw(300, 290);
    ASSERT_TRUE(linear(engine, grid_view(layer.x_TK), grid_view(layer.w_NK), grid_view(got_y),
                       Store::kWrite));
    ASSERT_TRUE(linear_grad_input(engine, grid_view(layer.dy_TN), grid_view(layer.w_NK),
                                  grid_view(got_dx), Store::kWrite));
    ASSERT_TRUE(linear_grad_weight(engine, grid_view(layer.dy_TN), grid_view(layer.x_TK),
                                   grid_view(got_dw), Store::kWrite));
    expect_bits(got_y, *y, "y, " + name);
    expect_bits(got_dx, *dx, "dx, " + name);
    expect_bits(got_dw, *dw, "dw, " + name);
  });
}

TEST(Product, AddIsOneAdditionOfTheWholeSum) {
  // Depths on both sides of what is packed at a time.
  for (const std::size_t depth : {300, 2048, 2049, 2600}) {
    const Grid x = normal_grid(9, depth, 4);
    const Grid w = normal_grid(35, depth, 5);
    const auto product = paper_x16(x, w);
    ASSERT_TRUE(product);
    const Grid before = normal_grid(9, 35, 6);
    Grid expected = before;
    for (std::size_t i = 0; i < expected.values.size(); ++i) {
      expected.values[i] += product->values[i];
    }
    for_each_engine([&](const Engine& engine, const std::string& name) {
      Grid got = before;
      ASSERT_TRUE(linear(engine, grid_view(x), grid_view(w), grid_view(got), Store::kAdd));
      expect_bits(got, expected, name + ", depth " + std::to_string(depth));
    });
  }
}

TEST(Product, OneRowHasTheBitsItHasAmongMany) {
  const Layer layer(37, 200, 600);
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Grid all(37, 200);
    ASSERT_TRUE(linear(engine, grid_view(layer.x_TK), grid_view(layer.w_NK), grid_view(all),
                       Store::kWrite));
    for (const std::size_t row : {0, 5, 36}) {
      Grid one(1, 200), expected(1, 200);
      const ConstMatrix x(layer.x_TK.values.data() + row * 600, 1, 600);
      ASSERT_TRUE(linear(engine, x, grid_view(layer.w_NK), grid_view(one), Store::kWrite));
      std::copy_n(all.values.begin() + static_cast<std::ptrdiff_t>(row * 200), 200,
                  expected.values.begin());
      expect_bits(one, expected, name);
    }
  });
}

TEST(Product, StridesSkipWhatLiesBetweenRows) {
  const Grid x = normal_grid(10, 50, 7);
  const Grid w = normal_grid(40, 50, 8);
  const auto expected = paper_x16(Grid(10, 20,
                                       [&] {
                                         std::vector<float> part;
                                         for (std::size_t r = 0; r < 10; ++r) {
                                           for (std::size_t c = 0; c < 20; ++c) {
                                             part.push_back(x.at(r, c + 5));
                                           }
                                         }
                                         return part;
                                       }()),
                                  Grid(40, 20, [&] {
                                    std::vector<float> part;
                                    for (std::size_t r = 0; r < 40; ++r) {
                                      for (std::size_t c = 0; c < 20; ++c) {
                                        part.push_back(w.at(r, c + 9));
                                      }
                                    }
                                    return part;
                                  }()));
  ASSERT_TRUE(expected);
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Grid out(10, 64, std::vector<float>(640, 5.0f));
    ASSERT_TRUE(linear(engine, ConstMatrix(x.values.data() + 5, 10, 20, 50),
                       ConstMatrix(w.values.data() + 9, 40, 20, 50),
                       Matrix(out.values.data() + 3, 10, 40, 64), Store::kWrite));
    for (std::size_t r = 0; r < 10; ++r) {
      for (std::size_t c = 0; c < 64; ++c) {
        const bool inside = c >= 3 && c < 43;
        ASSERT_EQ(out.at(r, c), inside ? expected->at(r, c - 3) : 5.0f) << name;
      }
    }
  });
}

TEST(Product, NonFiniteOperandsAndResultsAreNamedByShape) {
  const float lies[] = {std::numeric_limits<float>::infinity(),
                        std::numeric_limits<float>::quiet_NaN(), 0x1p70f};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    for (const float lie : lies) {
      Layer layer(5, 40, 30);
      layer.x_TK.at(4, 29) = lie;
      Grid y(5, 40), dw(40, 30);
      const Status forward =
          linear(engine, grid_view(layer.x_TK), grid_view(layer.w_NK), grid_view(y), Store::kWrite);
      ASSERT_FALSE(forward) << name;
      EXPECT_EQ(forward.error().code, Code::kNonFinite);
      EXPECT_EQ(forward.error().what,
                "product 5 x 40 over 30: a value is not finite or reaches 2^70");
      EXPECT_FALSE(linear_grad_weight(engine, grid_view(layer.dy_TN), grid_view(layer.x_TK),
                                      grid_view(dw), Store::kAdd));
    }
    Layer layer(5, 40, 30);
    Grid y(5, 40, std::vector<float>(200, 1.0f));
    y.at(4, 39) = std::numeric_limits<float>::infinity();
    EXPECT_FALSE(
        linear(engine, grid_view(layer.x_TK), grid_view(layer.w_NK), grid_view(y), Store::kAdd))
        << name;
    EXPECT_TRUE(
        linear(engine, grid_view(layer.x_TK), grid_view(layer.w_NK), grid_view(y), Store::kWrite))
        << name;
  });
}

/// Stated bound: in each block, each term errs by at most 1.25e-4 of the product of the rows'
/// largest values (rounding 2 * 3.1e-5, the product l l' left out 6.2e-5). On normal values the
/// whole error is far smaller.
TEST(Product, ErrsByLessThanTheStatedBound) {
  const Grid x = normal_grid(16, 1100, 9);
  const Grid w = normal_grid(24, 1100, 10);
  with_scalar_engine([&](const Engine& engine) {
    Grid y(16, 24);
    ASSERT_TRUE(linear(engine, grid_view(x), grid_view(w), grid_view(y), Store::kWrite));
    double error_squares = 0, squares = 0;
    for (std::size_t i = 0; i < 16; ++i) {
      for (std::size_t j = 0; j < 24; ++j) {
        double exact = 0, bound = 0;
        for (std::size_t first = 0; first < 1100; first += 256) {
          const std::size_t end = std::min<std::size_t>(first + 256, 1100);
          double largest_x = 0, largest_w = 0;
          for (std::size_t k = first; k < end; ++k) {
            exact += static_cast<double>(x.at(i, k)) * static_cast<double>(w.at(j, k));
            largest_x = std::max(largest_x, std::abs(static_cast<double>(x.at(i, k))));
            largest_w = std::max(largest_w, std::abs(static_cast<double>(w.at(j, k))));
          }
          bound += 1.25e-4 * static_cast<double>(end - first) * largest_x * largest_w;
        }
        const double error = static_cast<double>(y.at(i, j)) - exact;
        EXPECT_LT(std::abs(error), bound);
        error_squares += error * error;
        squares += exact * exact;
      }
    }
    EXPECT_LT(std::sqrt(error_squares / squares), 2e-4);
  });
}

}  // namespace
}  // namespace aftune::numerics
