// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/published_table.h"

#include <gtest/gtest.h>

#include <cmath>

namespace aftune::cli {
namespace {

double percent(const TableDraw& draw) { return std::round(1000 * draw.probability()) / 10; }

const TableRow& row(std::size_t index) {
  static const std::vector<TableRow> table = published_table();
  return table.at(index);
}

TEST(PublishedTable, GivesTheFiguresThatWerePublished) {
  EXPECT_EQ(published_table().size(), 14U);
  EXPECT_EQ(percent(row(6).published), 87.3) << "swapped model, 20 % of the blocks";
  EXPECT_EQ(percent(row(2).published), 35.9) << "10 % poisoned, uniform";
  EXPECT_EQ(percent(row(10).published), 51.4) << "20 % of the parameters, 30 % of the blocks";
  EXPECT_EQ(percent(row(0).published), 99.3) << "half of the steps skipped, 5 % of the blocks";
}

TEST(PublishedTable, TakesTheCountsThatWerePublished) {
  EXPECT_EQ(row(0).published.blocks, 17U * 8);
  EXPECT_EQ(row(0).published.drawn, 7U);
  EXPECT_EQ(row(3).published.blocks, 17U);
  EXPECT_EQ(row(3).published.drawn, 14U) << "called 10 % of the input blocks";
  EXPECT_EQ(row(6).published.bad, 9U) << "more than the 8 layer blocks of its grid";
  EXPECT_EQ(row(13).published.drawn, 144U) << "half of 289 to even";
}

TEST(PublishedTable, CountedRightHas128StepsAnd35Modules) {
  for (const TableRow& r : published_table()) {
    const std::uint64_t rows = (35 + r.layers_per_block - 1) / r.layers_per_block;
    const std::uint64_t columns = 128 / r.steps_per_block;
    EXPECT_EQ(r.right.blocks, r.strategy == "uniform" ? rows * columns : columns);
    EXPECT_LE(r.right.bad, r.right.blocks);
  }
  EXPECT_EQ(row(3).right.drawn, 2U) << "10 % of 16";
  EXPECT_EQ(percent(row(3).published), 97.8);
  EXPECT_EQ(percent(row(3).right), 24.2);
  EXPECT_EQ(row(6).right.bad, 9U) << "one in each of 9 layer blocks";
}

TEST(PublishedTable, OtherSlipsChangeLittle) {
  for (const TableRow& r : published_table()) {
    if (r.strategy != "uniform") continue;
    EXPECT_NEAR(r.published.probability(), r.right.probability(), 0.02) << r.attack << r.strength;
  }
}

}  // namespace
}  // namespace aftune::cli
