// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/inventory.h"

#include <gtest/gtest.h>

#include <numeric>

#include "aftune/trace/finished_run_testing.h"

namespace aftune::trace {
namespace {

using testing::must;
using testing::RunCopy;

Inventory inventory_of(const RunCopy& copy) {
  return must(take_inventory(copy.job.contract(), copy.entries, copy.run));
}

TEST(Inventory, AFinishedRunNeedsAllThatItStored) {
  const RunCopy copy;
  const Inventory inventory = inventory_of(copy);
  EXPECT_TRUE(inventory.unreadable.empty());
  const StoreCheck check = must(check_store(inventory, copy.run));
  EXPECT_TRUE(check.problems.empty());
  EXPECT_TRUE(check.strangers.empty());
  EXPECT_EQ(check.objects, inventory.needed.size());
  const auto stats = must(component_stats(inventory, copy.run));
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < stats.size(); ++i) {
    EXPECT_GT(stats[i].objects, 0U) << component_name(static_cast<Component>(i));
    EXPECT_LE(stats[i].stored_bytes, stats[i].bytes);
    bytes += stats[i].stored_bytes;
  }
  EXPECT_EQ(bytes, check.bytes);
  const ComponentStats log = must(log_stats(copy.run));
  EXPECT_GT(log.objects, 2U);
  EXPECT_GT(log.bytes, copy.entries.size() * 64);
}

TEST(Inventory, EdgesAreCountedByKind) {
  const RunCopy copy;
  const auto stats = must(component_stats(inventory_of(copy), copy.run));
  // 5 steps, 2 micro-batches of 2 and 1 rows, 2 edges; 6 tokens a row, width 8, fp32
  const std::uint64_t bytes = 5 * 3 * 2 * 6 * 8 * 4;
  EXPECT_EQ(stats[static_cast<std::size_t>(Component::kActivations)].bytes, bytes);
  EXPECT_EQ(stats[static_cast<std::size_t>(Component::kGradients)].bytes, bytes);
}

TEST(StoreCheck, NamesWhatIsMissingAlteredAndStrange) {
  const RunCopy copy;
  const Inventory inventory = inventory_of(copy);
  auto at = inventory.needed.begin();
  const Digest missing = (at++)->first;
  const Digest altered = (at++)->first;
  std::filesystem::remove(copy.object(missing));
  testing::flip_bit(copy.object(altered), 0);
  const Digest extra = testing::TinyJob::put_object(copy.run, "nobody asked");
  testing::put(copy.run.store() / "notes", "x");
  const StoreCheck check = must(check_store(inventory, copy.run));
  ASSERT_EQ(check.problems.size(), 2U);
  EXPECT_NE(check.problems[0].find(missing.hex() + " is missing"), std::string::npos);
  EXPECT_NE(check.problems[1].find(altered.hex()), std::string::npos);
  ASSERT_EQ(check.strangers.size(), 2U);
  EXPECT_NE(check.strangers[0].find(extra.hex()), std::string::npos);
  EXPECT_NE(check.strangers[1].find("notes"), std::string::npos);
}

TEST(Inventory, AListThatCannotBeReadIsTold) {
  const RunCopy copy;
  std::filesystem::remove(copy.list_of(copy.timeline().position_of_step(1)));
  testing::flip_bit(copy.list_of(copy.timeline().position_of_state(0, 1)), 9);
  EXPECT_EQ(inventory_of(copy).unreadable.size(), 2U);
}

TEST(Inventory, EntriesThatTheContractDoesNotImplyAreDamage) {
  RunCopy copy;
  const auto code_of = [&](const std::vector<std::string>& entries) {
    const auto inventory = take_inventory(copy.job.contract(), entries, copy.run);
    return inventory ? Code::kUnavailable : inventory.error().code;
  };
  auto longer = copy.entries;
  longer.push_back(copy.entries.back());
  EXPECT_EQ(code_of(longer), Code::kCorrupt);
  longer.back() = R"({"kind":"abort"})";
  EXPECT_EQ(code_of(longer), Code::kCorrupt);
  auto swapped = copy.entries;
  std::swap(swapped[3], swapped[4]);
  EXPECT_EQ(code_of(swapped), Code::kCorrupt);
}

TEST(Inventory, AnOpenRunNeedsWhatItHasLogged) {
  RunCopy copy;
  copy.entries.resize(copy.timeline().position_of_step(2));
  const StoreCheck check = must(check_store(inventory_of(copy), copy.run));
  EXPECT_TRUE(check.problems.empty());
  EXPECT_FALSE(check.strangers.empty());
}

}  // namespace
}  // namespace aftune::trace
