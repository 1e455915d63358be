// SPDX-License-Identifier: Apache-2.0
// The self-test of product kernels: small products with edges, every exponent range and refused
// values, against the scalar kernels.
#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/multiply.h"

namespace aftune::numerics {
namespace {

/// Values of many sizes, zeros and subnormals among them; every fourth stretch has large ones,
/// beside which the others count little. xorshift, fixed seed.
std::vector<float> painted_values(std::size_t count, std::uint32_t seed) {
  constexpr std::uint32_t kLargestExponent = 160;  // of which no product overflows
  std::vector<float> values(count);
  std::uint32_t state = seed;
  for (std::size_t i = 0; i < count; ++i) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    const bool wide = i / 97 % 4 == 0 && state % 16 == 0;
    const std::uint32_t exponent = wide ? (state >> 8) % kLargestExponent : 120 + (state >> 8) % 8;
    values[i] = std::bit_cast<float>((state & 0x807fffff) | exponent << 23);
    if (state % 29 == 0) values[i] = 0.0F;
  }
  return values;
}

Status differ(const ProductKernels& kernels, const std::string& kernel, std::size_t index,
              float got, float expected) {
  return Error{Code::kUnsupported, "kernel " + kernel + " of " + kernels.name + " has bits " +
                                       std::to_string(std::bit_cast<std::uint32_t>(got)) +
                                       " at index " + std::to_string(index) + ", the reference " +
                                       std::to_string(std::bit_cast<std::uint32_t>(expected))};
}

Status compare(const ProductKernels& kernels, const std::string& kernel,
               const std::vector<float>& got, const std::vector<float>& expected) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(got[i]) != std::bit_cast<std::uint32_t>(expected[i])) {
      return differ(kernels, kernel, i, got[i], expected[i]);
    }
  }
  return ok();
}

Status test_transpose(const ProductKernels& kernels) {
  constexpr std::size_t kRows = 37;
  constexpr std::size_t kDepth = 71;
  const std::vector<float> in = painted_values(kRows * kDepth, 1);
  std::vector<float> out(48 * kBlock);
  kernels.transpose(in.data(), kRows, kRows, kDepth, out.data());
  std::vector<float> got(in.size());
  for (std::size_t k = 0; k < kDepth; ++k) {
    for (std::size_t r = 0; r < kRows; ++r) got[k * kRows + r] = out[r * kBlock + k];
  }
  return compare(kernels, "transpose", got, in);
}

/// In the table's order: store() adds and writes what tile() and the packing made.
Status test_product(const ProductKernels& kernels, std::size_t rows, std::size_t columns,
                    std::size_t depth, Accumulate accumulate) {
  const std::vector<float> a = painted_values(rows * depth, 2);
  const std::vector<float> b = painted_values(columns * depth, 3);
  const Operand operand_a{a.data(), rows, depth, depth, false};
  const Operand operand_b{b.data(), columns, depth, depth, false};
  std::vector<float> got(rows * columns, 1.0F);
  std::vector<float> expected = got;
  const auto run = [&](const ProductKernels& which, std::vector<float>& c) {
    return multiply(which, nullptr, operand_a, operand_b, Matrix(c.data(), rows, columns),
                    accumulate);
  };
  const std::string name = "x16 " + std::to_string(rows) + " x " + std::to_string(columns) +
                           " over " + std::to_string(depth);
  if (!run(kScalarProductKernels, expected) || !run(kernels, got)) {
    return Error{Code::kUnsupported,
                 "kernel " + name + " of " + kernels.name + " refuses finite values"};
  }
  return compare(kernels, name, got, expected);
}

/// Values that already are integers keep exponent 0.
Status test_integers(const ProductKernels& kernels) {
  constexpr std::size_t kRows = 35;
  constexpr std::size_t kDepth = 67;
  const std::vector<float> a = painted_values(kRows * kDepth, 5);
  std::vector<float> b(a.size());
  for (std::size_t i = 0; i < b.size(); ++i) {
    const auto spread = static_cast<std::int32_t>(i * 7919 % 65279) - 32639;
    b[i] = static_cast<float>(i / kDepth % 3 == 0 ? spread / 400 : spread);
  }
  const Operand operand_a{a.data(), kRows, kDepth, kDepth, false};
  const Operand operand_b{b.data(), kRows, kDepth, kDepth, false, Exponents::kZero};
  std::vector<float> got(kRows * kRows);
  std::vector<float> expected(kRows * kRows);
  AFTUNE_TRY(multiply(kernels, nullptr, operand_a, operand_b, Matrix(got.data(), kRows, kRows),
                      Accumulate::kWrite));
  AFTUNE_TRY(multiply(kScalarProductKernels, nullptr, operand_a, operand_b,
                      Matrix(expected.data(), kRows, kRows), Accumulate::kWrite));
  return compare(kernels, "x16 of integers", got, expected);
}

/// Both operands stand as columns.
Status test_columns(const ProductKernels& kernels, Exponents exponents) {
  constexpr std::size_t kRows = 37;
  constexpr std::size_t kDepth = 263;
  const std::vector<float> a = painted_values(kRows * kDepth, 6);
  std::vector<float> b = painted_values(kRows * kDepth, 7);
  if (exponents == Exponents::kZero) {
    for (std::size_t i = 0; i < b.size(); ++i) {
      const auto spread = static_cast<std::int32_t>(i * 7919 % 65279) - 32639;
      b[i] = static_cast<float>(i % kRows % 3 == 0 ? spread / 400 : spread);
    }
  }
  const Operand operand_a{a.data(), kRows, kDepth, kRows, true};
  const Operand operand_b{b.data(), kRows, kDepth, kRows, true, exponents};
  std::vector<float> got(kRows * kRows);
  std::vector<float> expected(kRows * kRows);
  AFTUNE_TRY(multiply(kernels, nullptr, operand_a, operand_b, Matrix(got.data(), kRows, kRows),
                      Accumulate::kWrite));
  AFTUNE_TRY(multiply(kScalarProductKernels, nullptr, operand_a, operand_b,
                      Matrix(expected.data(), kRows, kRows), Accumulate::kWrite));
  return compare(kernels, "x16 of columns", got, expected);
}

Status test_refusals(const ProductKernels& kernels) {
  constexpr std::uint32_t kRefused[] = {kSizeBound, 0x7f7fffff, 0x7f800000,
                                        0xff800000, 0x7fc00000, 0xffffffff};
  std::vector<float> values(kBlock, 1.0F);
  std::vector<std::byte> memory(kernels.a_panel_bytes + kernels.b_panel_bytes + 64);
  void* start = memory.data();
  std::size_t space = memory.size();
  auto* panel = static_cast<std::byte*>(
      std::align(64, kernels.a_panel_bytes + kernels.b_panel_bytes, start, space));
  for (const std::uint32_t bits : kRefused) {
    values[kBlock - 1] = std::bit_cast<float>(bits);
    if (kernels.pack_a(values.data(), kBlock, 1, kBlock, Exponents::kChosen, panel) ||
        kernels.pack_b(values.data(), kBlock, 1, kBlock, Exponents::kChosen, panel) ||
        kernels.pack_b_columns(values.data(), 1, 1, kBlock, Exponents::kChosen, panel)) {
      return Error{Code::kUnsupported, "kernel pack of " + std::string(kernels.name) +
                                           " takes a value of bits " + std::to_string(bits) +
                                           ", the bound is " + std::to_string(kSizeBound)};
    }
  }
  return ok();
}

}  // namespace

Status self_test(const ProductKernels& kernels) {
  AFTUNE_TRY(test_transpose(kernels));
  AFTUNE_TRY(test_refusals(kernels));
  AFTUNE_TRY(test_product(kernels, 13, 67, 521, Accumulate::kWrite));
  AFTUNE_TRY(test_product(kernels, 1, 1, 1, Accumulate::kAdd));
  AFTUNE_TRY(test_product(kernels, 7, 33, 258, Accumulate::kAdd));
  AFTUNE_TRY(test_columns(kernels, Exponents::kChosen));
  AFTUNE_TRY(test_columns(kernels, Exponents::kZero));
  return test_integers(kernels);
}

}  // namespace aftune::numerics
