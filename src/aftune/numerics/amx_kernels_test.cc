// SPDX-License-Identifier: Apache-2.0
// The tile kernels without the processor that they are for: over emulated tiles, and by their own
// instructions, which a signal handler carries out.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "aftune/numerics/amx/emulated_tiles.h"
#include "aftune/numerics/amx_testing.h"
#include "aftune/numerics/amx_trap_testing.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/multiply.h"
#include "aftune/numerics/internal/test_engines.h"
#include "aftune/numerics/packed_weight.h"
#include "aftune/numerics/product.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // whose run-time libraries want signals for themselves
#else
constexpr bool kSanitized = false;
#endif

namespace aftune::numerics {
namespace {

struct Case {
  std::size_t rows, columns, depth;
};

/// a b^T, by rows or from columns, written or added.
std::vector<float> product(const ProductKernels& kernels, ThreadPool* pool, const Case& c,
                           bool columns_a, bool columns_b, Accumulate accumulate) {
  const std::vector<float> a = normal_values(c.rows * c.depth, 1);
  const std::vector<float> b = normal_values(c.columns * c.depth, 2, 1e-3F);
  const Operand x = columns_a ? Operand{a.data(), c.rows, c.depth, c.rows, true}
                              : Operand{a.data(), c.rows, c.depth, c.depth, false};
  const Operand y = columns_b ? Operand{b.data(), c.columns, c.depth, c.columns, true}
                              : Operand{b.data(), c.columns, c.depth, c.depth, false};
  std::vector<float> out = normal_values(c.rows * c.columns, 3);
  const Status done =
      multiply(kernels, pool, x, y, Matrix(out.data(), c.rows, c.columns), accumulate);
  EXPECT_TRUE(done) << done.error().what;
  return out;
}

void expect_scalar_bits(const ProductKernels& kernels, ThreadPool* pool, const Case& c) {
  for (const bool columns_a : {false, true}) {
    for (const bool columns_b : {false, true}) {
      for (const Accumulate accumulate : {Accumulate::kWrite, Accumulate::kAdd}) {
        const auto got = product(kernels, pool, c, columns_a, columns_b, accumulate);
        const auto expected =
            product(kScalarProductKernels, nullptr, c, columns_a, columns_b, accumulate);
        ASSERT_EQ(first_difference(got, expected), got.size())
            << kernels.name << ": " << c.rows << " x " << c.columns << " over " << c.depth
            << (columns_a ? ", a by columns" : "") << (columns_b ? ", b by columns" : "");
      }
    }
  }
}

constexpr std::size_t kEdges[] = {1, 15, 16, 17, 32, 33, 63, 64, 65, 97};

TEST(EmulatedAmx, HasTheScalarBitsAtEveryEdgeOfRowsAndColumns) {
  if (!can_emulate_amx()) GTEST_SKIP() << "needs AVX-512";
  for (const std::size_t rows : kEdges) {
    for (const std::size_t columns : kEdges) {
      expect_scalar_bits(emulated_amx_products(), nullptr, {rows, columns, 67});
    }
  }
}

TEST(EmulatedAmx, HasTheScalarBitsAtEveryEdgeOfDepth) {
  if (!can_emulate_amx()) GTEST_SKIP() << "needs AVX-512";
  for (const std::size_t edge : {2, 64, 128, 192, 256, 320, 512}) {
    for (const std::size_t depth : {edge - 1, edge, edge + 1}) {
      expect_scalar_bits(emulated_amx_products(), nullptr, {3, 34, depth});
      expect_scalar_bits(emulated_amx_products(), nullptr, {34, 3, depth});
    }
  }
  expect_scalar_bits(emulated_amx_products(), nullptr, {70, 9, 2305});
}

TEST(EmulatedAmx, HasTheScalarBitsOnSeveralThreads) {
  if (!can_emulate_amx()) GTEST_SKIP() << "needs AVX-512";
  for (const unsigned threads : {2U, 3U}) {
    ThreadPool pool(threads);
    for (const Case& c : {Case{70, 170, 70}, Case{5, 100, 530}, Case{270, 20, 70}}) {
      expect_scalar_bits(emulated_amx_products(), &pool, c);
    }
  }
}

TEST(EmulatedAmx, LayersAndPackedWeightsHaveTheScalarBits) {
  if (!can_emulate_amx()) GTEST_SKIP() << "needs AVX-512";
  constexpr std::size_t kTokens = 37, kOutputs = 70, kInputs = 290;
  const auto x = normal_values(kTokens * kInputs, 4);
  const auto w = normal_values(kOutputs * kInputs, 5);
  const auto run = [&](const Engine& engine) {
    std::vector<float> y(kTokens * kOutputs), dx(kTokens * kInputs), dw(kOutputs * kInputs);
    std::vector<float> packed(kTokens * kOutputs);
    const ConstMatrix x_TK(x.data(), kTokens, kInputs), w_NK(w.data(), kOutputs, kInputs);
    EXPECT_TRUE(linear(engine, x_TK, w_NK, Matrix(y.data(), kTokens, kOutputs), Store::kWrite));
    const ConstMatrix dy_TN(y.data(), kTokens, kOutputs);
    EXPECT_TRUE(
        linear_grad_input(engine, dy_TN, w_NK, Matrix(dx.data(), kTokens, kInputs), Store::kWrite));
    EXPECT_TRUE(linear_grad_weight(engine, dy_TN, x_TK, Matrix(dw.data(), kOutputs, kInputs),
                                   Store::kWrite));
    PackedWeights weights(PackedWeights::bytes_of(kOutputs, kInputs));
    const auto weight = weights.add(engine, w_NK);
    EXPECT_TRUE(weight);
    EXPECT_TRUE(
        linear_packed(engine, x_TK,
                      std::vector<PackedProduct>{
                          {*weight, Matrix(packed.data(), kTokens, kOutputs), Store::kWrite}}));
    EXPECT_EQ(packed, y);
    y.insert(y.end(), dx.begin(), dx.end());
    y.insert(y.end(), dw.begin(), dw.end());
    return y;
  };
  std::vector<float> expected;
  with_scalar_engine([&](const Engine& engine) { expected = run(engine); });
  for (const unsigned threads : {1U, 2U}) {
    ThreadPool pool(threads);
    EXPECT_EQ(run(emulated_amx_engine(pool)), expected) << threads;
  }
}

TEST(EmulatedAmx, PassesTheSelfTestAndABrokenOneDoesNot) {
  if (!can_emulate_amx()) GTEST_SKIP() << "needs AVX-512";
  const Status done = self_test(emulated_amx_products());
  EXPECT_TRUE(done) << done.error().what;
  ProductKernels broken = emulated_amx_products();
  broken.tile = [](const std::byte* a, const std::byte* b, std::size_t depth, float* out) {
    emulated_amx_products().tile(a, b, depth > 64 ? depth - 64 : depth, out);
  };
  const Status refused = self_test(broken);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("kernel x16"), std::string::npos) << refused.error().what;
}

TEST(AmxInstructions, HaveTheScalarBits) {
  if (kSanitized) GTEST_SKIP() << "signals belong to the sanitizer";
  if (!can_emulate_amx()) GTEST_SKIP() << "needs AVX-512";
  const TrappedTiles tiles;
  const std::uint64_t before = TrappedTiles::count();
  for (const Case& c : {Case{1, 1, 1}, Case{16, 17, 64}, Case{33, 31, 65}, Case{64, 32, 256},
                        Case{65, 33, 257}, Case{97, 70, 530}}) {
    expect_scalar_bits(kAmxProductKernels, nullptr, c);
  }
  ThreadPool pool(2);
  expect_scalar_bits(kAmxProductKernels, &pool, {150, 90, 300});
  const Status done = self_test(kAmxProductKernels);
  EXPECT_TRUE(done) << done.error().what;
  if (why_unavailable(Isa::kAmx) == "the processor has no AMX") {
    EXPECT_GT(TrappedTiles::count(), before + 10000);
  }
}

TileConfig config_with(void (*change)(TileConfig&)) {
  TileConfig config = kFullTiles;
  change(config);
  return config;
}

// What the manual says of shapes smaller than a tile, which the kernels do not use.
TEST(EmulatedTiles, TakeTheConfiguredShape) {
  TileRegisters tiles;
  tiles.configure(config_with([](TileConfig& c) {
    c.rows[0] = c.rows[1] = 2;  // 2 x 1 sums of 2 x 8 and 2 x 1 dwords
    c.row_bytes[0] = c.row_bytes[2] = 4;
    c.row_bytes[1] = 8;
    c.rows[2] = 2;
  }));
  const std::int8_t a[2][8] = {{1, 2, 3, 4, 5, 6, 7, 8}, {-128, 0, 0, 0, 0, 0, 0, 127}};
  const std::int8_t b[2][4] = {{1, -1, 1, -1}, {10, 20, -128, 127}};
  const std::int32_t start[2] = {100, -100};
  tiles.load(0, start, 4);
  tiles.load(1, a, 8);
  tiles.load(2, b, 4);
  tiles.dot(0, 1, 2);
  std::int32_t got[2] = {};
  tiles.store(0, got, 4);
  EXPECT_EQ(got[0], 100 + (1 - 2 + 3 - 4) + (50 + 120 - 896 + 1016));
  EXPECT_EQ(got[1], -100 - 128 + 127 * 127);
}

TEST(EmulatedTilesDeathTest, StopWhereTheProcessorRaisesAnException) {
  TileRegisters tiles;
  EXPECT_DEATH(tiles.zero(0), "");  // not configured
  EXPECT_DEATH(tiles.configure(config_with([](TileConfig& c) { c.palette = 2; })), "");
  EXPECT_DEATH(tiles.configure(config_with([](TileConfig& c) { c.reserved[3] = 1; })), "");
  EXPECT_DEATH(tiles.configure(config_with([](TileConfig& c) { c.rows[1] = 17; })), "");
  EXPECT_DEATH(tiles.configure(config_with([](TileConfig& c) { c.row_bytes[8] = 4; })), "");
  tiles.configure(kFullTiles);
  EXPECT_DEATH(tiles.dot(0, 1, 1), "");
  EXPECT_DEATH(tiles.dot(0, 0, 1), "");
  EXPECT_DEATH(tiles.zero(8), "");
  tiles.release();
  EXPECT_DEATH(tiles.dot(0, 1, 2), "");
}

TEST(EmulatedAmxDeathTest, TilesAreUsedBetweenBeginAndEndOnly) {
  if (!can_emulate_amx()) GTEST_SKIP() << "needs AVX-512";
  const ProductKernels& kernels = emulated_amx_products();
  ProductKernels late = kernels;
  late.begin = nullptr;
  EXPECT_DEATH((void)product(late, nullptr, {1, 1, 1}, false, false, Accumulate::kWrite), "");
  // And released at the end: the next product without begin() fails again.
  (void)product(kernels, nullptr, {1, 1, 1}, false, false, Accumulate::kWrite);
  EXPECT_DEATH((void)product(late, nullptr, {1, 1, 1}, false, false, Accumulate::kWrite), "");
}

}  // namespace
}  // namespace aftune::numerics
