// SPDX-License-Identifier: Apache-2.0
// Functions of one fp32 number: the same bits in every kernel set, and their distance from the
// true values in ulp, as docs/formats/exact-arithmetic.md states it.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "aftune/numerics/elementwise.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/one_input_testing.h"
#include "aftune/numerics/internal/test_engines.h"

namespace aftune::numerics {
namespace {

using Values = std::vector<float>;

TEST(OneInput, EverySetGivesTheScalarBitsOnAStratifiedMillion) {
  const Values inputs = stratified_inputs();
  Values expected(inputs.size()), got(inputs.size());
  ThreadPool pool(1);
  for (const OneInputFunction& function : kOneInputFunctions) {
    function.run(kScalarElementwiseKernels, inputs.data(), inputs.size(), expected.data());
    for (const Isa isa : available_isas()) {
      const auto engine = Engine::create(isa, pool);
      ASSERT_TRUE(engine) << engine.error().what;
      function.run(engine->kernels().elementwise, inputs.data(), inputs.size(), got.data());
      const std::size_t index = first_difference(expected, got);
      ASSERT_EQ(index, inputs.size())
          << function.name << " of " << inputs[index] << ", " << isa_name(isa);
    }
  }
}

TEST(OneInput, StratifiedInputsHoldOneOfEach4096Neighbours) {
  const Values inputs = stratified_inputs();
  ASSERT_EQ(inputs.size(), std::size_t{1} << 20);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(inputs[i]) >> 12, i);
  }
}

/// |got - truth| in units of the last place of an fp32 number of truth's size.
double ulp_error(float got, double truth) {
  const int exponent = std::max(std::ilogb(truth), -126);
  return std::fabs(static_cast<double>(got) - truth) / std::ldexp(1.0, exponent - 23);
}

/// The largest error over the stratified inputs in [low, high], and inputs spread evenly there.
double worst_ulp(float low, float high, const std::function<Values(const Values&)>& compute,
                 const std::function<double(double)>& truth) {
  Values inputs;
  for (const float x : stratified_inputs()) {
    if (x >= low && x <= high) inputs.push_back(x);
  }
  constexpr int kEven = 1 << 20;
  for (int i = 0; i <= kEven; ++i) {
    const double part = static_cast<double>(i) / kEven;
    inputs.push_back(static_cast<float>(double{low} + part * (double{high} - double{low})));
  }
  const Values got = compute(inputs);
  double worst = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    worst = std::max(worst, ulp_error(got[i], truth(double{inputs[i]})));
  }
  return worst;
}

Values exponentials(const Values& x) {
  Values out(x.size());
  kScalarElementwiseKernels.exp_row(x.data(), 0.0F, x.size(), out.data());
  return out;
}

Values named(const char* name, const Values& x) {
  Values out(x.size());
  for (const OneInputFunction& function : kOneInputFunctions) {
    if (std::string_view(function.name) == name) {
      function.run(kScalarElementwiseKernels, x.data(), x.size(), out.data());
    }
  }
  return out;
}

double true_sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// The bounds are those of the page. A lower bound beside each: a test that measured nothing, or
// another function, would fall out of it.

TEST(UlpError, OfExpIsAtMost1_01) {
  const double worst =
      worst_ulp(-87.0F, 0x1.62e42ep+6F, exponentials, [](double x) { return std::exp(x); });
  EXPECT_LE(worst, 1.01);
  EXPECT_GE(worst, 0.9);
}

TEST(UlpError, OfSiluIsAtMost1_2) {
  const auto truth = [](double x) { return x * true_sigmoid(x); };
  const auto silu = [](const Values& x) { return named("silu", x); };
  const double worst = worst_ulp(-87.0F, 120.0F, silu, truth);
  EXPECT_LE(worst, 1.2);
  EXPECT_GE(worst, 1);
  // Below, 1 / (1 + exp(-x)) is subnormal and has fewer bits.
  EXPECT_LE(worst_ulp(-88.72F, -87.0F, silu, truth), 1.2);
}

TEST(UlpError, OfSiluWhereItVanishesIsSmallerThanTwoToTheMinus121) {
  for (const float x : {-88.73F, -89.0F, -100.0F, -1e4F, -3e38F}) {
    const float silu = named("silu", {x})[0];
    EXPECT_EQ(silu, 0.0F) << x;
    EXPECT_LT(std::fabs(double{x} * std::exp(double{x})), 0x1p-121) << x;
  }
}

TEST(UlpError, OfTheSlopeOfSiluIsBelow5UlpOfOne) {
  Values inputs = stratified_inputs();
  for (int i = -(1 << 20); i <= 1 << 20; ++i) {
    inputs.push_back(static_cast<float>(i) * 0x1p-15F);  // -32 to 32
  }
  std::erase_if(inputs, [](float x) { return !(x >= -87.0F && x <= 120.0F); });
  const Values got = named("silu_slope", inputs);
  double worst = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double x = inputs[i], s = true_sigmoid(x);
    worst = std::max(worst, std::fabs(double{got[i]} - s * (1 + x * (1 - s))));
  }
  EXPECT_LT(worst, 5 * 0x1p-23);
  EXPECT_GT(worst, 4 * 0x1p-23);
}

double true_share(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

TEST(UlpError, OfGeluIsAtMost5_5) {
  const auto truth = [](double x) { return x * true_share(x); };
  const auto gelu = [](const Values& x) { return named("gelu", x); };
  const double worst = worst_ulp(-13.0F, 120.0F, gelu, truth);
  EXPECT_LE(worst, 5.5);
  EXPECT_GE(worst, 5);
}

TEST(UlpError, OfGeluWhereItVanishesIsSmallerThanTwoToTheMinus120) {
  for (const float x : {-13.1F, -13.5F, -14.0F, -20.0F, -1e4F, -3e38F}) {
    const float gelu = named("gelu", {x})[0];
    EXPECT_TRUE(std::signbit(gelu) && gelu > -0x1p-120F) << x;
  }
  for (const float x : {14.0F, 1e4F, 3e38F}) EXPECT_EQ(named("gelu", {x})[0], x);
}

TEST(UlpError, OfTheSlopeOfGeluIsBelow4UlpOfOne) {
  Values inputs;
  for (int i = -(1 << 19); i <= 1 << 19; ++i) inputs.push_back(static_cast<float>(i) * 0x1p-14F);
  const Values got = named("gelu_slope", inputs);
  double worst = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double x = inputs[i], density = std::exp(-x * x / 2) / std::sqrt(2 * 3.14159265358979);
    worst = std::max(worst, std::fabs(double{got[i]} - (true_share(x) + x * density)));
  }
  EXPECT_LT(worst, 4 * 0x1p-23);
  EXPECT_GT(worst, 0.5 * 0x1p-23);
}

TEST(UlpError, OfOneOverRootIsAtMost1_5) {
  const double worst = worst_ulp(
      0x1p-126F, 0x1.fffffep+127F, [](const Values& x) { return named("inverse_root", x); },
      [](double x) { return 1 / std::sqrt(x); });
  EXPECT_LE(worst, 1.5);
  EXPECT_GE(worst, 1.3);
}

TEST(UlpError, OfRotaryTablesIsAtMostAHalfAndALittle) {
  constexpr std::size_t kPositions = 4096, kPairs = 8;
  Values inv_freq(kPairs), cos(kPositions * kPairs), sin(kPositions * kPairs);
  for (std::size_t i = 0; i < kPairs; ++i) inv_freq[i] = std::exp2f(-1.7F * static_cast<float>(i));
  rotary_table(inv_freq, 0, {cos.data(), kPositions, kPairs}, {sin.data(), kPositions, kPairs});
  double worst = 0;
  for (std::size_t i = 0; i < cos.size(); ++i) {
    const float angle = static_cast<float>(i / kPairs) * inv_freq[i % kPairs];
    worst = std::max(worst, ulp_error(cos[i], std::cos(double{angle})));
    if (angle > 0) worst = std::max(worst, ulp_error(sin[i], std::sin(double{angle})));
  }
  EXPECT_LE(worst, 0.501);
  EXPECT_GE(worst, 0.4);
}

}  // namespace
}  // namespace aftune::numerics
