// SPDX-License-Identifier: Apache-2.0
#include "aftune/tlog/journal.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "aftune/base/hex.h"
#include "aftune/tlog/folder_testing.h"

namespace aftune::tlog {
namespace {

using Records = std::vector<Journal::Record>;

const Records kThree{{7, "first"}, {8, ""}, {9, std::string(300, 'z')}};
constexpr std::size_t kEnds[] = {0, 49, 93, 437};  // of the records before each

Path three_in(const TestFolder& folder) {
  const Path path = folder.path() / "pending";
  auto opened = Journal::open(path);
  for (const auto& record : kThree) {
    EXPECT_TRUE(opened->journal.append(record.index, record.entry));
  }
  return path;
}

TEST(Journal, GivesBackWhatWasAppended) {
  const TestFolder folder;
  const Path path = three_in(folder);
  EXPECT_EQ(*aftune::file_size(path), kEnds[3]);
  const auto opened = Journal::open(path);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->records, kThree);
}

TEST(Journal, RecordHasPinnedBytes) {
  const TestFolder folder;
  const Path path = folder.path() / "pending";
  auto opened = Journal::open(path);
  ASSERT_TRUE(opened->journal.append(258, "hi"));
  EXPECT_EQ(to_hex(*read_file(path, 1 << 20)),
            "0201000000000000"
            "02000000"
            "6869"
            "970b0e5df62a683617e7193584277bbb23b9fa1f95b950ac9fa52a69948a360a");
}

TEST(Journal, TornAtAnyByteKeepsTheWholeRecordsBefore) {
  const TestFolder folder;
  const ByteBuffer whole = *read_file(three_in(folder), 1 << 20);
  const Path path = folder.path() / "torn";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    std::size_t count = 0;
    while (count < 3 && kEnds[count + 1] <= size) ++count;
    ASSERT_TRUE(write_file(path, Bytes(whole).first(size)));
    auto opened = Journal::open(path);
    ASSERT_TRUE(opened) << size;
    ASSERT_EQ(opened->records, Records(kThree.begin(), kThree.begin() + static_cast<long>(count)))
        << size;
    EXPECT_EQ(*aftune::file_size(path), kEnds[count]) << size;
    if (size % 40 != 0) continue;
    ASSERT_TRUE(opened->journal.append(50, "next"));
    EXPECT_EQ(Journal::open(path)->records.back(), (Journal::Record{50, "next"})) << size;
  }
}

TEST(Journal, FlippedBitEndsItThere) {
  const TestFolder folder;
  const Path path = three_in(folder);
  const ByteBuffer whole = *read_file(path, 1 << 20);
  for (std::size_t bit = kEnds[1] * 8; bit < kEnds[2] * 8; bit += 7) {
    ByteBuffer lie = whole;
    lie[bit / 8] = static_cast<std::uint8_t>(lie[bit / 8] ^ (1U << (bit % 8)));
    ASSERT_TRUE(write_file(path, lie));
    EXPECT_EQ(Journal::open(path)->records.size(), 1U) << bit;
  }
}

TEST(Journal, ReplacedHoldsJustTheNewRecords) {
  const TestFolder folder;
  const Path path = three_in(folder);
  auto opened = Journal::open(path);
  ASSERT_TRUE(opened->journal.replace({kThree[0]}));
  ASSERT_TRUE(opened->journal.append(8, "other"));
  EXPECT_EQ(Journal::open(path)->records, (Records{kThree[0], {8, "other"}}));
  ASSERT_TRUE(opened->journal.clear());
  ASSERT_TRUE(opened->journal.append(9, "last"));
  EXPECT_EQ(Journal::open(path)->records, (Records{{9, "last"}}));
}

TEST(Journal, FailedAppendClosesItAndLosesNothingBefore) {
  const TestFolder folder;
  const Path path = folder.path() / "pending";
  auto opened = Journal::open(path);
  ASSERT_TRUE(opened->journal.append(0, "kept"));
  // a limit on file sizes stands for the full disk
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit small = old_limit;
  small.rlim_cur = 100;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto full = opened->journal.append(1, std::string(200, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kUnavailable);
  EXPECT_FALSE(opened->journal.append(1, "x"));
  EXPECT_FALSE(opened->journal.replace({}));
  EXPECT_FALSE(opened->journal.clear());
  EXPECT_EQ(Journal::open(path)->records, (Records{{0, "kept"}}));
}

}  // namespace
}  // namespace aftune::tlog
