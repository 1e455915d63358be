// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/packed_weight.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/packed_kernels.h"
#include "aftune/numerics/internal/test_engines.h"
#include "aftune/numerics/product.h"

namespace aftune::numerics {
namespace {

/// Rows of very different sizes, zeros and subnormals among the values.
std::vector<float> uneven_values(std::size_t rows, std::size_t cols, std::uint32_t seed) {
  std::vector<float> values = normal_values(rows * cols, seed);
  std::mt19937 generator(seed + 1);
  for (std::size_t r = 0; r < rows; ++r) {
    const int row_exponent = static_cast<int>(generator() % 60) - 40;
    for (std::size_t c = 0; c < cols; ++c) {
      const auto kind = generator() % 16;
      const int exponent = kind == 0 ? -12 : kind == 1 ? -100 : kind == 2 ? 6 : 0;
      float& x = values[r * cols + c];
      x = kind == 3 ? 0.0f : std::ldexp(x, row_exponent + exponent);
    }
  }
  return values;
}

/// One weight and rows to multiply it with.
struct Case {
  std::size_t rows, outputs, depth;
  std::vector<float> x, w;

  Case(std::size_t t, std::size_t n, std::size_t k)
      : rows(t), outputs(n), depth(k), x(uneven_values(t, k, 1)), w(uneven_values(n, k, 2)) {}
  [[nodiscard]] ConstMatrix x_TK() const { return {x.data(), rows, depth}; }
  [[nodiscard]] ConstMatrix w_NK() const { return {w.data(), outputs, depth}; }
  [[nodiscard]] Matrix y_TN(std::vector<float>& y) const { return {y.data(), rows, outputs}; }
  [[nodiscard]] std::vector<float> start() const { return normal_values(rows * outputs, 3); }

  [[nodiscard]] std::vector<float> unpacked(const Engine& engine, Store store) const {
    std::vector<float> y = start();
    EXPECT_TRUE(linear(engine, x_TK(), w_NK(), y_TN(y), store));
    return y;
  }
  [[nodiscard]] Status multiply(const Engine& engine, Store store, std::vector<float>& y) const {
    PackedWeights weights(PackedWeights::bytes_of(outputs, depth));
    AFTUNE_TRY(const PackedWeightView weight, weights.add(engine, w_NK()));
    y = start();
    return linear_packed(engine, x_TK(), std::vector<PackedProduct>{{weight, y_TN(y), store}});
  }
};

void expect_bits_of_linear(const Engine& engine, const Case& c, const std::string& name) {
  for (const Store store : {Store::kWrite, Store::kAdd}) {
    std::vector<float> y;
    const Status done = c.multiply(engine, store, y);
    ASSERT_TRUE(done) << done.error().what;
    const std::vector<float> expected = c.unpacked(engine, store);
    ASSERT_EQ(first_difference(y, expected), y.size())
        << name << ", " << c.rows << " x " << c.outputs << " over " << c.depth;
  }
}

TEST(PackedWeight, HasTheBitsOfLinearAtEveryCountOfRows) {
  for_each_engine([](const Engine& engine, const std::string& name) {
    for (const std::size_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 17}) {
      expect_bits_of_linear(engine, Case(rows, 35, 261), name);
    }
  });
}

TEST(PackedWeight, HasTheBitsOfLinearAtEveryDepth) {
  for (const Isa isa : available_isas()) {
    ThreadPool pool(2);
    const auto engine = Engine::create(isa, pool);
    ASSERT_TRUE(engine);
    for (std::size_t depth = 1; depth <= 530; ++depth) {
      expect_bits_of_linear(*engine, Case(2, 3, depth), std::string(isa_name(isa)));
    }
  }
}

TEST(PackedWeight, HasTheBitsOfLinearAtOddSizes) {
  for_each_engine([](const Engine& engine, const std::string& name) {
    for (const std::size_t outputs : {1, 15, 16, 17, 200}) {
      expect_bits_of_linear(engine, Case(1, outputs, 64), name);
      expect_bits_of_linear(engine, Case(130, outputs, 5), name);
    }
    expect_bits_of_linear(engine, Case(3, 70, 2305), name);
  });
}

TEST(PackedWeight, SeveralProductsShareTheirRows) {
  for_each_engine([](const Engine& engine, const std::string& name) {
    const Case a(5, 33, 300);
    Case b(5, 90, 300);
    b.x = a.x;
    PackedWeights weights(PackedWeights::bytes_of(33, 300) + PackedWeights::bytes_of(90, 300));
    const auto w_a = weights.add(engine, a.w_NK());
    const auto w_b = weights.add(engine, b.w_NK());
    ASSERT_TRUE(w_a && w_b);
    EXPECT_EQ(weights.bytes(), w_a->bytes() + w_b->bytes());
    std::vector<float> y_a = a.start(), y_b = b.start();
    const std::vector<PackedProduct> products = {{*w_a, a.y_TN(y_a), Store::kAdd},
                                                 {*w_b, b.y_TN(y_b), Store::kWrite}};
    ASSERT_TRUE(linear_packed(engine, a.x_TK(), products));
    EXPECT_EQ(y_a, a.unpacked(engine, Store::kAdd)) << name;
    EXPECT_EQ(y_b, b.unpacked(engine, Store::kWrite)) << name;
  });
}

TEST(PackedWeight, TakesTwoBytesAValueAndItsExponents) {
  EXPECT_EQ(PackedWeights::bytes_of(576, 1536), 576 * (2 * 1536 + 6 * 4));
  EXPECT_EQ(PackedWeights::bytes_of(17, 257), 32 * (2 * 258 + 2 * 4));
}

TEST(PackedWeight, RowsAndOutputsMayBeFarApart) {
  with_scalar_engine([](const Engine& engine) {
    const Case c(3, 20, 100);
    const Case wide(3, 20, 140);
    const ConstMatrix x(wide.x.data() + 7, 3, 100, 140), w(wide.w.data() + 9, 20, 100, 140);
    PackedWeights weights(PackedWeights::bytes_of(20, 100));
    const auto weight = weights.add(engine, w);
    ASSERT_TRUE(weight);
    std::vector<float> y(3 * 50, -1.0f), expected = y;
    ASSERT_TRUE(linear(engine, x, w, Matrix(expected.data() + 4, 3, 20, 50), Store::kWrite));
    ASSERT_TRUE(linear_packed(
        engine, x,
        std::vector<PackedProduct>{{*weight, Matrix(y.data() + 4, 3, 20, 50), Store::kWrite}}));
    EXPECT_EQ(y, expected);
  });
}

TEST(PackedWeight, RefusesWhatLinearRefuses) {
  const float infinity = std::numeric_limits<float>::infinity();
  const struct {
    const char* name;
    float x, w, y;
  } lies[] = {{"weight at the bound", 1, std::bit_cast<float>(std::uint32_t{0x627eff00}), 0},
              {"infinite weight", 1, -infinity, 0},
              {"NaN in a row", std::numeric_limits<float>::quiet_NaN(), 1, 0},
              {"row at the bound", std::bit_cast<float>(std::uint32_t{0x627eff00}), 1, 0},
              {"product that overflows", 0x1.8p69f, 0x1.8p69f, 0},
              {"sum that is infinite", 1, 1, infinity}};
  for_each_engine([&](const Engine& engine, const std::string& name) {
    for (const auto& lie : lies) {
      Case c(9, 40, 300);
      c.x.assign(c.x.size(), 1.0f);
      c.w.assign(c.w.size(), 1.0f);
      c.x[8 * 300 + 299] = lie.x;
      c.w[39 * 300 + 299] = lie.w;
      std::vector<float> y(9 * 40, 0.0f);
      y.back() = lie.y;
      PackedWeights weights(PackedWeights::bytes_of(40, 300));
      const auto weight = weights.add(engine, c.w_NK());
      const Status done =
          !weight ? Status(weight.error())
                  : linear_packed(engine, c.x_TK(),
                                  std::vector<PackedProduct>{{*weight, c.y_TN(y), Store::kAdd}});
      ASSERT_FALSE(done) << name << ": " << lie.name;
      EXPECT_EQ(done.error().code, Code::kNonFinite);
    }
  });
}

TEST(PackedWeight, SelfTestTakesEverySetAndNamesABrokenKernel) {
  EXPECT_TRUE(self_test(kScalarPackedKernels));
  using Multiply = decltype(PackedKernels::multiply);
  const struct {
    const char* name;
    Multiply multiply;
  } lies[] = {
      {"the last pair left out",
       [](const RowBlock* rows, std::size_t count, const PanelBlock& panel, std::size_t depth,
          float* tile) {
         kScalarPackedKernels.multiply(rows, count, panel, depth > 2 ? depth - 2 : depth, tile);
       }},
      {"written, not added",
       [](const RowBlock* rows, std::size_t count, const PanelBlock& panel, std::size_t depth,
          float* tile) {
         std::fill_n(tile, count * kPanelRows, 0.0f);
         kScalarPackedKernels.multiply(rows, count, panel, depth, tile);
       }},
      {"one row too few",
       [](const RowBlock* rows, std::size_t count, const PanelBlock& panel, std::size_t depth,
          float* tile) {
         kScalarPackedKernels.multiply(rows, count > 1 ? count - 1 : 1, panel, depth, tile);
       }},
  };
  for (const auto& lie : lies) {
    const Status done = self_test(PackedKernels{"broken", lie.multiply});
    ASSERT_FALSE(done) << lie.name;
    EXPECT_NE(done.error().what.find("packed x16 of broken"), std::string::npos);
  }
}

}  // namespace
}  // namespace aftune::numerics
