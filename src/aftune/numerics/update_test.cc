// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/update.h"

#include <gtest/gtest.h>

#include "aftune/numerics/internal/test_engines.h"

namespace aftune::numerics {
namespace {

using Values = std::vector<float>;

TEST(SumOfSquares, IsTheSameOnEveryEngineAndNearTheTrueOne) {
  for (const std::size_t count : {0, 1, 65, 65535, 65536, 65537, 200000}) {
    const Values x = normal_values(count, 3);
    long double truth = 0;
    for (const float value : x) truth += static_cast<long double>(value) * value;
    std::optional<double> first;
    for_each_engine([&](const Engine& engine, const std::string& name) {
      const double sum = sum_of_squares(engine, x);
      if (!first) first = sum;
      EXPECT_EQ(sum, *first) << count << ", " << name;
      EXPECT_NEAR(sum, static_cast<double>(truth), 1e-13 * static_cast<double>(truth));
    });
  }
}

TEST(SumOfSquares, AddsChunksAscending) {
  Values x(3 * 65536, 0.0f);
  x[0] = 1.0f;
  x[65536] = x[2 * 65536] = 0x1p-27f;  // a square of 2^-54, lost against 1 each
  with_scalar_engine([&](const Engine& engine) {
    EXPECT_EQ(sum_of_squares(engine, x), 1.0);
    x[65536] = 0, x[2 * 65536 + 64] = 0x1p-27f;  // both in the last chunk's lane 0
    EXPECT_EQ(sum_of_squares(engine, x), 1.0 + 0x1p-53);
  });
}

TEST(SumOfSquares, ShowsWhatIsNotFinite) {
  with_scalar_engine([](const Engine& engine) {
    EXPECT_EQ(sum_of_squares(engine, Values{1, -INFINITY}), INFINITY);
    EXPECT_TRUE(std::isnan(sum_of_squares(engine, Values{1, NAN})));
    EXPECT_TRUE(std::isfinite(sum_of_squares(engine, Values(64, 3e38f))));
  });
}

struct Adam {
  double lr = 1e-2, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.1;
};

/// One step of torch.optim.AdamW in fp64.
void reference_adamw(const Adam& c, int step, double g, double& p, double& m, double& v) {
  p -= c.lr * c.weight_decay * p;
  m = c.beta1 * m + (1 - c.beta1) * g;
  v = c.beta2 * v + (1 - c.beta2) * g * g;
  const double m_hat = m / (1 - std::pow(c.beta1, step));
  const double v_hat = v / (1 - std::pow(c.beta2, step));
  p -= c.lr * m_hat / (std::sqrt(v_hat) + c.eps);
}

TEST(AdamW, FollowsPyTorchOverManySteps) {
  const Adam c;
  const std::size_t count = 300;
  const float clip = 0.5f;
  with_scalar_engine([&](const Engine& engine) {
    Values p = normal_values(count, 1), m(count), v(count);
    std::vector<double> p64(p.begin(), p.end()), m64(count), v64(count);
    for (int step = 1; step <= 20; ++step) {
      const Values g = normal_values(count, 100 + static_cast<std::uint32_t>(step), 0.1f);
      const AdamWScalars scalars = adamw_scalars(c.lr, c.beta1, c.beta2, c.eps, c.weight_decay,
                                                 static_cast<std::uint64_t>(step), clip);
      ASSERT_TRUE(adamw(engine, scalars, g, p, m, v));
      for (std::size_t i = 0; i < count; ++i) {
        reference_adamw(c, step, double{clip} * g[i], p64[i], m64[i], v64[i]);
        ASSERT_NEAR(p[i], p64[i], 3e-6) << "step " << step << ", element " << i;
        ASSERT_NEAR(m[i], m64[i], 1e-7);
        ASSERT_NEAR(v[i], v64[i], 1e-8);
      }
    }
  });
}

TEST(AdamW, RoundsEachSignOnce) {
  const AdamWScalars s{0.7f, 0.9f, 0.1f, 0.999f, 0.001f, 0.03f, 0.2f, 1e-3f, 0.9999f};
  const Values g = normal_values(200, 1);
  with_scalar_engine([&](const Engine& engine) {
    Values p = normal_values(200, 2), m = normal_values(200, 3), v(200, 0.3f);
    const Values p0 = p, m0 = m, v0 = v;
    ASSERT_TRUE(adamw(engine, s, g, p, m, v));
    for (std::size_t i = 0; i < 200; ++i) {
      const float grad = g[i] * s.clip;
      const float decayed = s.beta1 * m0[i], fresh = s.one_minus_beta1 * grad;
      ASSERT_EQ(m[i], decayed + fresh);
      const float square = (s.one_minus_beta2 * grad) * grad;
      ASSERT_EQ(v[i], s.beta2 * v0[i] + square);
      const float root = std::sqrt(v[i]) / s.root_bc2;
      const float size = m[i] / (root + s.eps);
      ASSERT_EQ(p[i], p0[i] * s.decay - s.step_size * size);
    }
  });
}

TEST(AdamW, ScalarsAreRoundedOnceFromFp64) {
  const AdamWScalars s = adamw_scalars(3e-4, 0.9, 0.95, 1e-8, 0.1, 2, 0.25f);
  EXPECT_EQ(s.clip, 0.25f);
  EXPECT_EQ(s.beta1, 0.9f);
  EXPECT_EQ(s.one_minus_beta1, static_cast<float>(1 - 0.9));
  EXPECT_NE(s.one_minus_beta1, 1 - 0.9f);
  EXPECT_EQ(s.step_size, static_cast<float>(3e-4 / (1 - 0.9 * 0.9)));
  EXPECT_EQ(s.root_bc2, static_cast<float>(std::sqrt(1 - 0.95 * 0.95)));
  EXPECT_EQ(s.decay, static_cast<float>(1 - 3e-4 * 0.1));
}

TEST(AdamW, StoresNoDust) {
  const AdamWScalars s = adamw_scalars(1e-3, 0.9, 0.999, 1e-8, 0, 5, 1.0f);
  for_each_engine([&](const Engine& engine, const std::string& name) {
    Values g(4), p(4, 1.0f), m = {0x1p-100f, -0x1p-100f, 0x1.2p-100f, -0x1.2p-100f};
    Values v = {0x1p-100f, 0x1.1p-100f, 0x1p-140f, 0};
    ASSERT_TRUE(adamw(engine, s, g, p, m, v));
    const float kept = 0.9f * 0x1.2p-100f;
    EXPECT_EQ(first_difference(m, {0, 0, kept, -kept}), 4u) << name;
    EXPECT_EQ(first_difference(v, {0, 0.999f * 0x1.1p-100f, 0, 0}), 4u) << name;
  });
}

Values run_updates(const Engine& engine) {
  const std::size_t count = 150001;
  const Values g = normal_values(count, 1);
  Values p = normal_values(count, 2), q = p, m(count), v(count), b(count);
  EXPECT_TRUE(adamw(engine, adamw_scalars(1e-3, 0.9, 0.999, 1e-8, 0.1, 1, 0.9f), g, p, m, v));
  EXPECT_TRUE(sgd(engine, {0.9f, 1e-2f, 0.1f, 0.9f}, g, q, b));
  EXPECT_TRUE(sgd(engine, {0.9f, 1e-2f, 0.1f, 0.9f, true}, g, q, b));
  for (const Values* part : {&q, &m, &v, &b}) p.insert(p.end(), part->begin(), part->end());
  return p;
}

TEST(Update, GivesTheSameBitsOnEveryEngine) {
  Values first;
  for_each_engine([&](const Engine& engine, const std::string& name) {
    const Values out = run_updates(engine);
    if (first.empty()) first = out;
    EXPECT_EQ(first_difference(first, out), out.size()) << name;
  });
}

TEST(Update, RefusesNewValuesThatAreNotFinite) {
  const AdamWScalars s = adamw_scalars(1e-3, 0.9, 0.999, 1e-8, 0.1, 1, 1.0f);
  constexpr std::size_t kCount = 70000, kAt = 66000;
  for_each_engine([&](const Engine& engine, const std::string& name) {
    for (const int lying : {0, 1, 2, 3}) {
      for (const float lie : {NAN, INFINITY, -INFINITY, 3e38f}) {
        if (lie == 3e38f && lying != 0) continue;  // a square that overflows: gradients only
        Values tensors[4] = {Values(kCount), Values(kCount), Values(kCount), Values(kCount)};
        tensors[lying][kAt] = lie;
        const Status status = adamw(engine, s, tensors[0], tensors[1], tensors[2], tensors[3]);
        ASSERT_FALSE(status) << lie << " in " << lying << ", " << name;
        EXPECT_EQ(status.error().code, Code::kNonFinite);
        EXPECT_EQ(status.error().what, "a new value among elements 65536 to 69999 is not finite");
      }
    }
    Values g(10), p(10), b(10);
    g[3] = INFINITY;
    EXPECT_FALSE(sgd(engine, {1, 1, 0, 0}, g, p, {})) << name;
    g[3] = 0, p[3] = 0, b[9] = NAN;
    EXPECT_TRUE(sgd(engine, {1, 1, 0, 0}, g, p = Values(10), b)) << "a buffer without momentum";
    EXPECT_FALSE(sgd(engine, {1, 1, 0, 0.5f}, g, p, b)) << name;
  });
}

TEST(Sgd, FollowsPyTorchOverManySteps) {
  const double clip = 0.5, lr = 0.125, decay = 0.0625, momentum = 0.875;  // exact in fp32
  for (const bool has_momentum : {false, true}) {
    const double mu = has_momentum ? momentum : 0;
    with_scalar_engine([&](const Engine& engine) {
      Values p = normal_values(100, 1), b(100);
      std::vector<double> p64(p.begin(), p.end()), b64(100);
      for (std::uint32_t step = 1; step <= 10; ++step) {
        const Values g = normal_values(100, step + 50);
        ASSERT_TRUE(sgd(engine,
                        {static_cast<float>(clip), static_cast<float>(lr),
                         static_cast<float>(decay), static_cast<float>(mu)},
                        g, p, b));
        for (std::size_t i = 0; i < 100; ++i) {
          const double grad = clip * g[i] + decay * p64[i];
          b64[i] = mu * b64[i] + grad;  // without momentum the gradient itself
          p64[i] -= lr * b64[i];
          ASSERT_NEAR(p[i], p64[i], 5e-6) << "step " << step << ", element " << i;
        }
      }
      EXPECT_EQ(b == Values(100), !has_momentum);
    });
  }
}

TEST(Sgd, NesterovRoundsEachSignOnce) {
  const SgdScalars s{0.7f, 0.03f, 0.01f, 0.9f, true};
  const Values g = normal_values(200, 1);
  with_scalar_engine([&](const Engine& engine) {
    Values p = normal_values(200, 2), b = normal_values(200, 3);
    const Values p0 = p, b0 = b;
    ASSERT_TRUE(sgd(engine, s, g, p, b));
    for (std::size_t i = 0; i < 200; ++i) {
      const float clipped = g[i] * s.clip, shrunk = s.decay * p0[i];
      const float grad = clipped + shrunk;
      const float kept = s.momentum * b0[i];
      ASSERT_EQ(b[i], kept + grad);
      const float ahead = s.momentum * b[i];
      const float move = s.lr * (grad + ahead);
      ASSERT_EQ(p[i], p0[i] - move);
    }
  });
}

TEST(Sgd, StoresNoDustInTheBuffer) {
  with_scalar_engine([](const Engine& engine) {
    Values g(2), p(2), b = {0x1p-100f, -0x1.8p-100f};
    ASSERT_TRUE(sgd(engine, {1, 1, 0, 0.75f}, g, p, b));
    EXPECT_EQ(first_difference(b, {0, -0x1.2p-100f}), 2u);
  });
}

}  // namespace
}  // namespace aftune::numerics
