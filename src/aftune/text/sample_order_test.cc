// SPDX-License-Identifier: Apache-2.0
#include "aftune/text/sample_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace aftune::text {
namespace {

using Rows = std::vector<std::uint64_t>;

Digest counting_seed() {
  Digest seed;
  std::iota(seed.bytes.begin(), seed.bytes.end(), std::uint8_t{0});
  return seed;
}

const OrderRule kDropped{"sha256", true}, kEndless{"sha256", false}, kPlain{"none", true};

/// The vectors of docs/formats/dataset.md, made there by another implementation.
TEST(EpochOrder, IsPinned) {
  EXPECT_EQ(epoch_order(kDropped, counting_seed(), 0, 10), (Rows{1, 0, 3, 7, 2, 6, 5, 8, 9, 4}));
  EXPECT_EQ(epoch_order(kDropped, counting_seed(), 1, 10), (Rows{9, 3, 6, 1, 7, 2, 8, 0, 4, 5}));
  EXPECT_EQ(epoch_order(kDropped, counting_seed(), std::uint64_t{1} << 40, 10),
            (Rows{3, 5, 9, 1, 7, 6, 2, 4, 0, 8}));
}

TEST(EpochOrder, IsAPermutationForEverySmallCount) {
  for (std::uint64_t count = 1; count <= 40; ++count) {
    Rows order = epoch_order(kDropped, counting_seed(), count, count);
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, epoch_order(kPlain, counting_seed(), 0, count));
  }
}

TEST(EpochOrder, ChangesWithSeedAndEpoch) {
  Digest other = counting_seed();
  other.bytes[31] ^= 1;
  const Rows order = epoch_order(kDropped, counting_seed(), 0, 100);
  EXPECT_NE(epoch_order(kDropped, other, 0, 100), order);
  EXPECT_NE(epoch_order(kDropped, counting_seed(), 1, 100), order);
}

TEST(SampleOrder, DropsTheRestOfAnEpoch) {
  SampleOrder order(kDropped, counting_seed(), 10, 4);
  EXPECT_EQ(order.rows_of(0), (Rows{1, 0, 3, 7}));
  EXPECT_EQ(order.rows_of(1), (Rows{2, 6, 5, 8}));
  EXPECT_EQ(order.rows_of(2), (Rows{9, 3, 6, 1}));
  EXPECT_EQ(order.rows_of(0), (Rows{1, 0, 3, 7})) << "asked again";
}

TEST(SampleOrder, GoesOnInTheNextEpoch) {
  SampleOrder order(kEndless, counting_seed(), 10, 4);
  EXPECT_EQ(order.rows_of(2), (Rows{9, 4, 9, 3}));
  EXPECT_EQ(order.rows_of(3), (Rows{6, 1, 7, 2}));
}

TEST(SampleOrder, ABatchCanHoldSeveralEpochs) {
  SampleOrder order({"none", false}, counting_seed(), 3, 7);
  EXPECT_EQ(order.rows_of(0), (Rows{0, 1, 2, 0, 1, 2, 0}));
  EXPECT_EQ(order.rows_of(1), (Rows{1, 2, 0, 1, 2, 0, 1}));
}

TEST(SampleOrder, AWholeDataSetCanBeOneBatch) {
  SampleOrder order(kPlain, counting_seed(), 3, 3);
  EXPECT_EQ(order.rows_of(9), (Rows{0, 1, 2}));
}

TEST(SampleOrderDeathTest, RefusesABatchThatNeverFits) {
  EXPECT_DEATH(SampleOrder(kDropped, counting_seed(), 3, 4), "batch larger");
  EXPECT_DEATH(SampleOrder(kEndless, counting_seed(), 0, 4), "needs rows");
  EXPECT_DEATH(SampleOrder(kEndless, counting_seed(), 3, 0), "needs rows");
}

}  // namespace
}  // namespace aftune::text
