// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/internal/product_kernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <string>

#include "aftune/numerics/amx_testing.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/multiply.h"
#include "aftune/numerics/internal/test_engines.h"
#include "aftune/numerics/internal/test_x16.h"

namespace aftune::numerics {
namespace {

std::vector<const ProductKernels*> all_sets() {
  std::vector<const ProductKernels*> sets = {&kScalarProductKernels};
#if defined(__x86_64__)
  for (const Isa isa : available_isas()) {
    if (isa == Isa::kAvx2) sets.push_back(&kAvx2ProductKernels);
    if (isa == Isa::kAvx512Bw) sets.push_back(&kAvx512BwProductKernels);
    if (isa == Isa::kAvx512) sets.push_back(&kAvx512ProductKernels);
    if (isa == Isa::kAmx) sets.push_back(&kAmxProductKernels);
  }
#endif
  if (can_emulate_amx()) sets.push_back(&emulated_amx_products());
  return sets;
}

Operand rows_of(const Grid& grid) {
  return Operand::rows_of(ConstMatrix(grid.values.data(), grid.rows, grid.cols));
}
Operand columns_of(const Grid& grid) {
  return Operand::columns_of(ConstMatrix(grid.values.data(), grid.rows, grid.cols));
}

/// a b^T by one set of kernels; nothing if it refuses.
std::optional<Grid> product(const ProductKernels& kernels, const Operand& a, const Operand& b) {
  Grid c(a.rows, b.rows, std::vector<float>(a.rows * b.rows, -7.0f));
  const Status done =
      multiply(kernels, nullptr, a, b, Matrix(c.values.data(), c.rows, c.cols), Accumulate::kWrite);
  if (!done) {
    EXPECT_EQ(done.error().code, Code::kNonFinite);
    return std::nullopt;
  }
  return c;
}

void expect_paper_bits(const Grid& a, const Grid& b) {
  const auto expected = paper_x16(a, b);
  ASSERT_TRUE(expected);
  for (const ProductKernels* kernels : all_sets()) {
    const auto got = product(*kernels, rows_of(a), rows_of(b));
    ASSERT_TRUE(got) << kernels->name;
    const std::size_t index = first_difference(got->values, expected->values);
    ASSERT_EQ(index, expected->values.size())
        << kernels->name << ", " << a.rows << " x " << b.rows << " over " << a.cols << ": "
        << got->values[index] << ", page " << expected->values[index];
  }
}

/// Rows of very different sizes, and in each row values of many sizes, zeros and subnormals.
Grid real_looking(std::size_t rows, std::size_t cols, std::uint32_t seed) {
  Grid grid(rows, cols, normal_values(rows * cols, seed));
  std::mt19937 generator(seed + 1);
  for (std::size_t r = 0; r < rows; ++r) {
    const int row_exponent = static_cast<int>(generator() % 60) - 40;
    for (std::size_t c = 0; c < cols; ++c) {
      const auto kind = generator() % 16;
      const int exponent = kind == 0 ? -12 : kind == 1 ? -100 : kind == 2 ? 6 : 0;
      grid.at(r, c) = kind == 3 ? 0.0f : std::ldexp(grid.at(r, c), row_exponent + exponent);
    }
  }
  return grid;
}

TEST(ProductKernels, EqualThePageAtEverySmallShape) {
  for (std::size_t rows = 1; rows <= 40; ++rows) {
    for (std::size_t columns = 1; columns <= 40; ++columns) {
      expect_paper_bits(real_looking(rows, 5, 100), real_looking(columns, 5, 200));
    }
  }
}

TEST(ProductKernels, EqualThePageAtEveryDepth) {
  for (std::size_t depth = 1; depth <= 600; ++depth) {
    expect_paper_bits(real_looking(7, depth, 300), real_looking(3, depth, 400));
  }
}

TEST(ProductKernels, EqualThePageAcrossManyBlocks) {
  for (const std::size_t depth : {1023, 1024, 1025, 2047, 2049, 2304, 2305}) {
    expect_paper_bits(real_looking(13, depth, 500), real_looking(35, depth, 600));
  }
}

TEST(ProductKernels, EqualThePageAtSpecialValues) {
  const float largest = std::bit_cast<float>(std::uint32_t{0x627efeff});
  const struct {
    const char* name;
    float a, b;
  } cases[] = {
      {"largest allowed, times small", largest, 0x1p-20f},
      {"largest allowed, negative", -largest, 0x1.8p-30f},
      {"the largest at the lowest exponent", 32639.49f * 0x1p-66f, largest},
      {"one above it", 32640.0f * 0x1p-66f, largest},
      {"half a unit at the lowest exponent", 0x1p-67f, largest},
      {"just above half a unit", 0x1.000002p-67f, largest},
      {"smallest subnormal", 0x1p-149f, 1.0f},
      {"negative zero", -0.0f, 3.0f},
      {"ties up", 32639.49f, 1.5f},
      {"ties to the next exponent", 32639.5f, 2.5f},
      {"quantised to 128", 128.0f, -129.0f},
      {"quantised to -128", -128.0f, 127.0f},
      {"most negative", -32639.0f, -32639.0f},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Grid a(2, 259), b(3, 259);
    for (std::size_t k = 0; k < 259; ++k) {
      a.at(0, k) = k % 3 == 0 ? c.a : c.a / 3;
      a.at(1, k) = k == 258 ? c.a : 0.0f;
      b.at(0, k) = c.b;
      b.at(1, k) = k % 2 == 0 ? c.b : -c.b / 7;
      b.at(2, k) = k < 256 ? 0.0f : c.b;
    }
    expect_paper_bits(a, b);
    expect_paper_bits(b, a);
  }
}

TEST(ProductKernels, SumsOfTheLargestIntegersDoNotOverflow) {
  for (const float sign : {1.0f, -1.0f}) {
    const Grid a(1, 256, std::vector<float>(256, 32639.0f));
    const Grid b(1, 256, std::vector<float>(256, sign * 32639.0f));
    expect_paper_bits(a, b);
    const Grid odd(1, 256, std::vector<float>(256, sign * 32384.0f));  // h 127, l -128
    expect_paper_bits(a, odd);
  }
}

TEST(ProductKernels, RefuseWhatHasNoExponentWhereverItStands) {
  const struct {
    const char* name;
    std::uint32_t bits;
  } lies[] = {{"at the bound", 0x627eff00},      {"above the bound", 0x62800000},
              {"largest number", 0x7f7fffff},    {"infinity", 0x7f800000},
              {"minus infinity", 0xff800000},    {"quiet NaN", 0x7fc00000},
              {"NaN with the sign", 0xffffffff}, {"signalling NaN", 0x7f800001}};
  for (const ProductKernels* kernels : all_sets()) {
    for (const auto& lie : lies) {
      for (const std::size_t row : {0, 5, 6, 39}) {
        for (const std::size_t column : {0, 15, 255, 256, 258}) {
          Grid a(40, 259, normal_values(40 * 259, 1));
          const Grid b(40, 259, normal_values(40 * 259, 2));
          a.at(row, column) = std::bit_cast<float>(lie.bits);
          EXPECT_FALSE(product(*kernels, rows_of(a), rows_of(b))) << kernels->name << lie.name;
          EXPECT_FALSE(product(*kernels, rows_of(b), rows_of(a))) << kernels->name << lie.name;
        }
      }
    }
  }
}

TEST(ProductKernels, RefuseAResultThatOverflows) {
  const float big = 0x1.8p69f;
  Grid a(7, 300, std::vector<float>(7 * 300, 1.0f));
  Grid b(33, 300, std::vector<float>(33 * 300, 1.0f));
  for (std::size_t k = 0; k < 300; ++k) a.at(6, k) = b.at(32, k) = big;
  for (const ProductKernels* kernels : all_sets()) {
    EXPECT_FALSE(product(*kernels, rows_of(a), rows_of(b))) << kernels->name;
    EXPECT_FALSE(product(*kernels, rows_of(b), rows_of(a))) << kernels->name;
  }
}

TEST(ProductKernels, TransposedOperandsGiveTheBitsOfCopies) {
  for (const std::size_t rows : {1, 6, 23, 25, 31, 40}) {
    for (const std::size_t depth : {1, 15, 17, 255, 257, 300}) {
      const Grid a = real_looking(rows, depth, 7);
      const Grid b = real_looking(37, depth, 8);
      const Grid a_columns = a.transposed();
      const Grid b_columns = b.transposed();
      const auto expected = product(kScalarProductKernels, rows_of(a), rows_of(b));
      ASSERT_TRUE(expected);
      for (const ProductKernels* kernels : all_sets()) {
        const auto left = product(*kernels, columns_of(a_columns), rows_of(b));
        const auto right = product(*kernels, rows_of(a), columns_of(b_columns));
        ASSERT_TRUE(left && right);
        EXPECT_TRUE(left->values == expected->values) << kernels->name << rows << " " << depth;
        EXPECT_TRUE(right->values == expected->values) << kernels->name << rows << " " << depth;
      }
    }
  }
}

TEST(ProductKernels, ExchangingTheOperandsTransposesTheResult) {
  const Grid a = real_looking(11, 700, 9);
  const Grid b = real_looking(34, 700, 10);
  for (const ProductKernels* kernels : all_sets()) {
    EXPECT_EQ(product(*kernels, rows_of(a), rows_of(b))->values,
              product(*kernels, rows_of(b), rows_of(a))->transposed().values);
  }
}

TEST(ProductKernels, IntegersKeepExponentZero) {
  const Grid a = real_looking(9, 300, 11);
  Grid b(35, 300);
  for (std::size_t i = 0; i < b.values.size(); ++i) {
    const auto spread = static_cast<int>(i * 7919 % 65279) - 32639;
    b.values[i] = static_cast<float>(i / 300 % 3 == 0 ? spread / 400 : spread);
  }
  const auto expected = paper_x16(a, b, true);
  ASSERT_TRUE(expected);
  for (const ProductKernels* kernels : all_sets()) {
    Operand integers = rows_of(b);
    integers.exponents = Exponents::kZero;
    const auto got = product(*kernels, rows_of(a), integers);
    ASSERT_TRUE(got);
    EXPECT_EQ(first_difference(got->values, expected->values), got->values.size());
    // Small integers with an exponent of their own are split into other bytes.
    EXPECT_FALSE(product(*kernels, rows_of(a), rows_of(b))->values == got->values);
  }
}

TEST(ProductKernels, ContinuingGivesTheBitsOfOneSum) {
  const Grid a = real_looking(8, 900, 12);
  const Grid b = real_looking(33, 900, 13);
  const auto whole = product(kScalarProductKernels, rows_of(a), rows_of(b));
  ASSERT_TRUE(whole);
  for (const ProductKernels* kernels : all_sets()) {
    Grid c(8, 33);
    for (std::size_t first = 0; first < 900; first += 512) {
      const std::size_t depth = std::min<std::size_t>(512, 900 - first);
      const ConstMatrix part_a(a.values.data() + first, 8, depth, 900);
      const ConstMatrix part_b(b.values.data() + first, 33, depth, 900);
      ASSERT_TRUE(multiply(*kernels, nullptr, Operand::rows_of(part_a), Operand::rows_of(part_b),
                           Matrix(c.values.data(), 8, 33), Accumulate::kContinue));
    }
    EXPECT_EQ(first_difference(c.values, whole->values), c.values.size()) << kernels->name;
  }
}

TEST(ProductKernels, UncheckedLetsAnOverflowPass) {
  const Grid a(1, 300, std::vector<float>(300, 0x1.8p69f));
  for (const ProductKernels* kernels : all_sets()) {
    float c = 0;
    EXPECT_TRUE(multiply(*kernels, nullptr, rows_of(a), rows_of(a), Matrix(&c, 1, 1),
                         Accumulate::kUnchecked));
    EXPECT_EQ(c, std::numeric_limits<float>::infinity());
  }
}

TEST(ProductKernels, SelfTestTakesEverySetAndNamesABrokenKernel) {
  for (const ProductKernels* kernels : all_sets()) {
    const Status done = self_test(*kernels);
    EXPECT_TRUE(done) << done.error().what;
  }
  struct Lie {
    const char* name;
    const char* expected;  // in the error's text
    void (*apply)(ProductKernels&);
  };
  const Lie lies[] = {
      {"short sum", "kernel x16",
       [](ProductKernels& k) {
         k.tile = [](const std::byte* a, const std::byte* b, std::size_t depth, float* c) {
           kScalarProductKernels.tile(a, b, depth > 9 ? depth - 1 : depth, c);
         };
       }},
      {"one bit of the result", "kernel x16",
       [](ProductKernels& k) {
         k.tile = [](const std::byte* a, const std::byte* b, std::size_t depth, float* c) {
           kScalarProductKernels.tile(a, b, depth, c);
           c[5] = std::nextafter(c[5], 0.0f);
         };
       }},
      {"sum stored, not added", "kernel x16",
       [](ProductKernels& k) {
         k.store = [](const float* tile, std::size_t rows, std::size_t columns, bool, float* out,
                      std::size_t stride) {
           return kScalarProductKernels.store(tile, rows, columns, false, out, stride);
         };
       }},
      {"rows not transposed", "kernel transpose",
       [](ProductKernels& k) {
         k.transpose = [](const float* in, std::size_t, std::size_t rows, std::size_t depth,
                          float* out) {
           for (std::size_t i = 0; i < rows * depth; ++i) out[i % (48 * kBlock)] = in[i];
         };
       }},
      {"infinity taken", "kernel pack",
       [](ProductKernels& k) {
         k.pack_b = [](const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
                       Exponents exponents, std::byte* panel) {
           (void)kScalarProductKernels.pack_b(in, stride, rows, depth, exponents, panel);
           return true;
         };
       }},
      {"infinity taken in a column", "kernel pack",
       [](ProductKernels& k) {
         k.pack_b_columns = [](const float* in, std::size_t stride, std::size_t rows,
                               std::size_t depth, Exponents exponents, std::byte* panel) {
           (void)kScalarProductKernels.pack_b_columns(in, stride, rows, depth, exponents, panel);
           return true;
         };
       }},
      {"last line of the columns lost", "kernel x16 of columns",
       [](ProductKernels& k) {
         k.pack_b_columns = [](const float* in, std::size_t stride, std::size_t rows,
                               std::size_t depth, Exponents exponents, std::byte* panel) {
           return kScalarProductKernels.pack_b_columns(
               in, stride, rows, depth < kBlock ? depth - 1 : depth, exponents, panel);
         };
       }},
      {"exponents of columns chosen", "kernel x16 of columns",
       [](ProductKernels& k) {
         k.pack_b_columns = [](const float* in, std::size_t stride, std::size_t rows,
                               std::size_t depth, Exponents, std::byte* panel) {
           return kScalarProductKernels.pack_b_columns(in, stride, rows, depth, Exponents::kChosen,
                                                       panel);
         };
       }},
      {"exponents of integers chosen", "kernel x16 of integers",
       [](ProductKernels& k) {
         k.pack_b = [](const float* in, std::size_t stride, std::size_t rows, std::size_t depth,
                       Exponents, std::byte* panel) {
           return kScalarProductKernels.pack_b(in, stride, rows, depth, Exponents::kChosen, panel);
         };
       }},
  };
  for (const Lie& lie : lies) {
    ProductKernels broken = kScalarProductKernels;
    broken.name = "broken";
    lie.apply(broken);
    const Status done = self_test(broken);
    ASSERT_FALSE(done) << lie.name;
    EXPECT_EQ(done.error().code, Code::kUnsupported);
    EXPECT_NE(done.error().what.find(lie.expected), std::string::npos) << done.error().what;
    EXPECT_NE(done.error().what.find("broken"), std::string::npos) << done.error().what;
  }
}

}  // namespace
}  // namespace aftune::numerics
