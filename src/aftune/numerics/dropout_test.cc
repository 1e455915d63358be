// SPDX-License-Identifier: Apache-2.0
#include "aftune/numerics/dropout.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "aftune/numerics/internal/test_engines.h"
#include "aftune/numerics/philox.h"

namespace aftune::numerics {
namespace {

using Values = std::vector<float>;

DropoutMask mask_of(double share) { return {{7, 9}, 1, 2, 3, share}; }

Values dropped(const Engine& engine, const DropoutMask& mask, const Values& x, std::size_t rows) {
  Values out(x.size());
  dropout(engine, mask, {x.data(), rows, x.size() / rows}, {out.data(), rows, x.size() / rows});
  return out;
}

TEST(Dropout, FollowsTheWordsOfTheCounter) {
  for_each_engine([](const Engine& engine, const std::string& name) {
    for (const std::size_t count : {1, 3, 4, 5, 16389}) {
      const Values x = normal_values(count, 4);
      const Values out = dropped(engine, mask_of(0.25), x, 1);
      for (std::size_t i = 0; i < count; ++i) {
        const auto words = philox4x32({static_cast<std::uint32_t>(i / 4), 1, 2, 3}, {7, 9});
        const float expected = words[i % 4] < 0x40000000U ? 0.0F : x[i] * 0x1.555556p+0F;
        ASSERT_EQ(out[i], expected) << name << ", element " << i << " of " << count;
      }
    }
  });
}

TEST(Dropout, DropsItsShare) {
  with_scalar_engine([](const Engine& engine) {
    const Values x(1U << 16, 1.0F);
    for (const double share : {0.0, 0.05, 0.5, 0.9}) {
      const Values out = dropped(engine, mask_of(share), x, 256);
      const auto zeros = static_cast<double>(std::count(out.begin(), out.end(), 0.0F));
      EXPECT_NEAR(zeros / static_cast<double>(x.size()), share, 0.01);
    }
  });
}

TEST(Dropout, EveryPartOfTheMaskCounts) {
  with_scalar_engine([](const Engine& engine) {
    const Values x(4096, 1.0F);
    const Values out = dropped(engine, mask_of(0.5), x, 64);
    for (int part = 0; part < 5; ++part) {
      DropoutMask other = mask_of(0.5);
      if (part < 2) other.key[static_cast<std::size_t>(part)] += 1;
      if (part == 2) other.micro_batch += 1;
      if (part == 3) other.place += 1;
      if (part == 4) other.step += 1;
      EXPECT_NE(dropped(engine, other, x, 64), out) << part;
    }
    // The shape does not.
    EXPECT_EQ(dropped(engine, mask_of(0.5), x, 1), out);
  });
}

TEST(Dropout, MayWorkInPlace) {
  with_scalar_engine([](const Engine& engine) {
    Values x = normal_values(1000, 5);
    const Values out = dropped(engine, mask_of(0.1), x, 10);
    dropout(engine, mask_of(0.1), {x.data(), 10, 100}, {x.data(), 10, 100});
    EXPECT_EQ(x, out);
  });
}

}  // namespace
}  // namespace aftune::numerics
