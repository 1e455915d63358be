// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/resample_positions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace aftune::model {
namespace {

/// A class row of -7s, then `values` in each of `width` columns, column d times d + 1.
Tensor table_of(const std::vector<float>& values, std::size_t width) {
  Tensor out = Tensor::unwritten(Dtype::kF32, {1, 1 + values.size(), width});
  std::fill_n(out.data(), width, -7.0F);
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t d = 0; d < width; ++d) {
      out.data()[(1 + i) * width + d] = values[i] * static_cast<float>(d + 1);
    }
  }
  return out;
}

// What torch.nn.functional.interpolate(mode="bicubic", align_corners=False) of PyTorch 2.15 makes
// of the first list in fp64.
const struct {
  std::uint32_t from, to;
  std::vector<float> before, after;
} kCases[] = {
    {2,
     3,
     {-4, -1, 3, 6},
     {-4.86805534362793F, -3.1076388359069824F, -1.3472222089767456F, -0.7604166865348816F, 1,
      2.7604167461395264F, 3.347222328186035F, 5.107638835906982F, 6.86805534362793F}},
    {4,
     2,
     {-4, -1, -3, 1, 3, 6, 4, -3, -1, 2, 0, 4, 6, -2, -4, 0},
     {1.5625F, -0.578125F, 1.0625F, -0.046875F}},
    {3,
     5,
     {-4, -1, -3, 3, 6, 4, -1, 2, 0},
     {-4.960000038146973F,
      -3.364000082015991F,
      -1.6720000505447388F,
      -2.680000066757202F,
      -3.864000082015991F,
      -1.284000039100647F,
      0.31200000643730164F,
      2.003999948501587F,
      0.9959999918937683F,
      -0.18799999356269836F,
      2.7119998931884766F,
      4.308000087738037F,
      6,
      4.992000102996826F,
      3.808000087738037F,
      0.7680000066757202F,
      2.364000082015991F,
      4.056000232696533F,
      3.0480000972747803F,
      1.8639999628067017F,
      -1.6720000505447388F,
      -0.07599999755620956F,
      1.6160000562667847F,
      0.6079999804496765F,
      -0.5759999752044678F}}};

TEST(ResamplePositions, AreThoseOfTorch) {
  for (const auto& one : kCases) {
    const Tensor got = resample_positions(table_of(one.before, 3), one.from, one.to);
    ASSERT_EQ(got.shape(), (Shape{1, 1 + std::uint64_t{one.to} * one.to, 3}));
    for (std::size_t d = 0; d < 3; ++d) EXPECT_EQ(got.data()[d], -7.0F);
    for (std::size_t i = 0; i < one.after.size(); ++i) {
      for (std::size_t d = 0; d < 3; ++d) {
        const float expected = one.after[i] * static_cast<float>(d + 1);
        EXPECT_NEAR(got.data()[(1 + i) * 3 + d], expected, 2e-6F) << one.to << " " << i;
      }
    }
  }
}

TEST(ResamplePositions, OfTheSameSizeAreTheSameBits) {
  const Tensor table = table_of(kCases[2].before, 2);
  const Tensor got = resample_positions(table, 3, 3);
  EXPECT_TRUE(std::ranges::equal(got.bytes(), table.bytes()));
}

TEST(ResamplePositions, OneIsSpreadAndManyOfOneValueStay) {
  const Tensor spread = resample_positions(table_of({2.5F}, 1), 1, 4);
  for (std::size_t i = 1; i < 17; ++i) EXPECT_EQ(spread.data()[i], 2.5F);
  const Tensor level = resample_positions(table_of(std::vector<float>(25, 0.75F), 1), 5, 2);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_NEAR(level.data()[i], 0.75F, 1e-7F);
}

}  // namespace
}  // namespace aftune::model
