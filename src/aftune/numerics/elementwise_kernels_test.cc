// SPDX-License-Identifier: Apache-2.0
// Every kernel of every instruction set against the scalar one, and the scalar ones against the
// text of docs/formats/exact-arithmetic.md, written here a second time and index by index.
#include "aftune/numerics/internal/elementwise_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "aftune/numerics/internal/elementwise_probes.h"
#include "aftune/numerics/internal/kernel_set.h"
#include "aftune/numerics/internal/test_engines.h"

namespace aftune::numerics {
namespace {

using Values = std::vector<float>;
TEST(ElementwiseKernels, EverySetGivesTheScalarBitsAtEverySize) {
  std::vector<std::size_t> sizes(200);
  for (std::size_t n = 0; n < sizes.size(); ++n) sizes[n] = n;
  for (const std::size_t n : {255, 256, 257, 575, 576, 1023, 1024, 1025, 4099}) sizes.push_back(n);
  ThreadPool pool(1);
  const auto scalar = Engine::create(Isa::kScalar, pool);
  ASSERT_TRUE(scalar) << scalar.error().what;
  for (const Isa isa : available_isas()) {
    const auto engine = Engine::create(isa, pool);
    ASSERT_TRUE(engine) << engine.error().what;
    for (const bool wide : {false, true}) {
      const ProbeInputs inputs = probe_inputs(4200, wide);
      for (const ElementwiseProbe& c : all_elementwise_probes()) {
        for (const std::size_t n : sizes) {
          const Values want = c.run(scalar->kernels().elementwise, inputs, n);
          const Values got = c.run(engine->kernels().elementwise, inputs, n);
          ASSERT_EQ(first_difference(want, got), want.size())
              << c.name << " of " << n << (wide ? " wide" : " normal") << " values, "
              << isa_name(isa);
        }
      }
    }
  }
}

TEST(ElementwiseKernels, NothingIsWrittenBehindTheEnd) {
  const ProbeInputs inputs = probe_inputs(300, false);
  for_each_engine([&](const Engine& engine, const std::string& name) {
    for (const ElementwiseProbe& c : element_probes()) {
      for (std::size_t n = 0; n < 140; ++n) {
        const Values out = c.run(engine.kernels().elementwise, inputs, n);
        ASSERT_EQ(std::count(out.end() - kProbeGuards, out.end(), kProbeGuard), kProbeGuards)
            << c.name << " of " << n << ", " << name;
      }
    }
  });
}

TEST(ExpKernel, IsTheSameOnEverySetAndNearTheTrueExponential) {
  Values inputs;
  for (std::uint64_t bits = 0; bits >> 32 == 0; bits += 4099) {
    inputs.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  for (const float edge : {0x1.62e42ep+6f, 0x1.62e430p+6f, -87.0f, -0x1.5c0002p+6f, 0x1p-149f,
                           0.34657359f, -0.34657359f, INFINITY, -INFINITY, NAN}) {
    inputs.push_back(edge);
  }
  Values first;
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Values out(inputs.size());
    engine.kernels().elementwise.exp_row(inputs.data(), 0.0f, inputs.size(), out.data());
    if (first.empty()) first = out;
    ASSERT_EQ(first_difference(first, out), out.size()) << name;
  });
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double truth = std::exp(static_cast<double>(inputs[i]));
    if (std::isnan(truth)) {
      ASSERT_TRUE(std::isnan(first[i]));
    } else if (inputs[i] < -87.0f) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(first[i]), 0u) << inputs[i];
    } else if (inputs[i] > 0x1.62e42ep+6f) {
      ASSERT_EQ(first[i], INFINITY) << inputs[i];
    } else {
      const double ulp = std::ldexp(1.0, std::ilogb(truth) - 23);
      ASSERT_LT(std::fabs(static_cast<double>(first[i]) - truth), 1.1 * ulp) << inputs[i];
    }
  }
}

TEST(ExpKernel, KeepsItsPinnedBits) {
  const std::array<std::pair<float, float>, 6> pins = {{{0x1p+0f, 0x1.5bf0a8p+1f},
                                                        {-0x1p+0f, 0x1.78b564p-2f},
                                                        {0x1.333334p-2f, 0x1.599058p+0f},
                                                        {-0x1.5cp+6f, 0x1.666d0ep-126f},
                                                        {0x1.62e42ep+6f, 0x1.ffff08p+127f},
                                                        {-0x1.433334p+3f, 0x1.5899a4p-15f}}};
  with_scalar_engine([&](const Engine& engine) {
    for (const auto& [x, want] : pins) {
      float got = 0;
      engine.kernels().elementwise.exp_row(&x, 0.0f, 1, &got);
      EXPECT_EQ(std::bit_cast<std::uint32_t>(got), std::bit_cast<std::uint32_t>(want)) << x;
    }
  });
}

/// The sum in 64 lanes as the format page words it.
template <typename Value, typename Term>
Value lanes_of_the_page(std::size_t n, const Term& enter) {
  std::array<Value, 64> lane{};
  for (std::size_t i = 0; i < n; ++i) lane[i % 64] = enter(i, lane[i % 64]);
  for (std::size_t w = 32; w > 0; w /= 2) {
    for (std::size_t t = 0; t < w; ++t) lane[t] = lane[t] + lane[t + w];
  }
  return lane[0];
}

TEST(LaneSums, FollowTheFormatPageAtEverySize) {
  const ProbeInputs in = probe_inputs(4200, false);
  with_scalar_engine([&](const Engine& engine) {
    const ElementwiseKernels& k = engine.kernels().elementwise;
    for (const std::size_t n : {0, 1, 2, 33, 63, 64, 65, 127, 128, 129, 191, 193, 576, 4100}) {
      EXPECT_EQ(k.lane_sum(in.a.data(), n),
                lanes_of_the_page<float>(n, [&](auto i, float s) { return s + in.a[i]; }));
      EXPECT_EQ(k.dot_lanes(in.a.data(), in.b.data(), n),
                lanes_of_the_page<float>(
                    n, [&](auto i, float s) { return std::fma(in.a[i], in.b[i], s); }));
      EXPECT_EQ(k.square_sum(in.a.data(), n), lanes_of_the_page<double>(n, [&](auto i, double s) {
                  return s + double{in.a[i]} * double{in.a[i]};
                }));
    }
  });
}

TEST(LaneSums, DifferFromOtherOrders) {
  const Values x = normal_values(4096, 5);
  with_scalar_engine([&](const Engine& engine) {
    const float sum = engine.kernels().elementwise.lane_sum(x.data(), x.size());
    float ascending = 0;
    for (const float value : x) ascending += value;
    Values turned(x.rbegin(), x.rend());
    EXPECT_NE(sum, ascending);
    EXPECT_NE(sum, engine.kernels().elementwise.lane_sum(turned.data(), turned.size()));
  });
}

TEST(RowMax, OrdersByImageAndKeepsNaN) {
  with_scalar_engine([](const Engine& engine) {
    const auto max_of = [&](const Values& x) {
      return engine.kernels().elementwise.row_max(x.data(), x.size());
    };
    EXPECT_EQ(max_of({-3, -1, -2}), -1.0f);
    EXPECT_FALSE(std::signbit(max_of({-0.0f, 0.0f})));
    EXPECT_TRUE(std::signbit(max_of({-0.0f, -0x1p-149f})));
    EXPECT_EQ(max_of({-INFINITY, -INFINITY}), -INFINITY);
    EXPECT_EQ(max_of({1, INFINITY, 2}), INFINITY);
    EXPECT_TRUE(std::isnan(max_of({1, std::fabs(NAN), INFINITY})));
  });
}

TEST(ElementwiseSelfTest, PassesEveryAvailableSet) {
  for_each_engine([](const Engine& engine, const std::string& name) {
    EXPECT_TRUE(self_test(engine.kernels().elementwise)) << name;
  });
}

void true_exponential(const float* s, float m, std::size_t n, float* p) {
  for (std::size_t i = 0; i < n; ++i) p[i] = std::exp(s[i] - m);
}

float ascending_sum(const float* x, std::size_t n) {
  float sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}

float two_roundings(const float* a, const float* b, std::size_t n) {
  return lanes_of_the_page<float>(n, [&](auto i, float s) { return a[i] * b[i] + s; });
}

void contracted_add(const float* a, const float* b, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = std::fma(a[i], 1.0f + 0x1p-23f, b[i]);
}

TEST(ElementwiseSelfTest, RefusesAndNamesAKernelOfOtherBits) {
  with_scalar_engine([](const Engine& engine) {
    const ElementwiseKernels honest = engine.kernels().elementwise;
    const auto refused = [](const ElementwiseKernels& kernels, const std::string& kernel) {
      const Status status = self_test(kernels);
      ASSERT_FALSE(status) << kernel;
      EXPECT_EQ(status.error().code, Code::kUnsupported);
      EXPECT_EQ(status.error().what.rfind("kernel " + kernel + " over ", 0), 0u)
          << status.error().what;
    };
    ElementwiseKernels lying = honest;
    lying.exp_row = true_exponential;
    refused(lying, "exp_row");
    lying = honest;
    lying.lane_sum = ascending_sum;
    refused(lying, "lane_sum");
    lying = honest;
    lying.dot_lanes = two_roundings;
    refused(lying, "dot_lanes");
    lying = honest;
    lying.add = contracted_add;
    refused(lying, "add");
  });
}

}  // namespace
}  // namespace aftune::numerics
