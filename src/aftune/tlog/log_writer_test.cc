// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "aftune/tlog/folder_testing.h"
#include "aftune/tlog/tiles.h"

namespace aftune::tlog {
namespace {

const std::string kWrittenOrigin = "example.com/log";

VerifierKey written_verifier() { return {kWrittenOrigin, test_key(1).public_key()}; }

std::vector<std::string> names(std::uint64_t begin, std::uint64_t end) {
  std::vector<std::string> out;
  for (std::uint64_t i = begin; i < end; ++i) out.push_back("entry " + std::to_string(i));
  return out;
}

void append_all(LogWriter& log, const std::vector<std::string>& entries) {
  for (const std::string& entry : entries) ASSERT_TRUE(log.append(entry));
}

TEST(LogWriter, EntriesOutliveTheWriterSignedOrNot) {
  const TestFolder folder;
  const auto key = test_key(1);
  {
    auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
    ASSERT_TRUE(log) << log.error().what;
    append_all(*log, names(0, 3));
    ASSERT_TRUE(log->sign());
    append_all(*log, names(3, 5));
  }
  const auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
  ASSERT_TRUE(log) << log.error().what;
  EXPECT_EQ(log->entries(), names(0, 5));
  EXPECT_EQ(log->signed_size(), 3U);
}

TEST(LogWriter, SignedLogIsReadBackWithItsHistory) {
  const TestFolder folder;
  const auto key = test_key(1);
  auto log = LogWriter::open(folder.path() / "new" / "log", kWrittenOrigin, key);
  ASSERT_TRUE(log) << log.error().what;
  std::vector<Checkpoint> want;
  for (const std::uint64_t size : {0U, 1U, 255U, 256U, 257U, 520U}) {
    append_all(*log, names(log->entries().size(), size));
    const auto checkpoint = log->sign();
    ASSERT_TRUE(checkpoint) << checkpoint.error().what;
    EXPECT_EQ(checkpoint->size, size);
    want.push_back(*checkpoint);
    const auto reading = read_log(folder.path() / "new" / "log", written_verifier());
    ASSERT_TRUE(reading) << reading.error().what;
    EXPECT_EQ(reading->checkpoint, *checkpoint);
    EXPECT_EQ(reading->entries, names(0, size));
    EXPECT_EQ(reading->history, want);
    EXPECT_EQ(merkle_root(reading->leaf_hashes), checkpoint->root);
    EXPECT_TRUE(open_checkpoint(reading->checkpoint_note, written_verifier()));
  }
}

TEST(LogWriter, SigningOneSizeTwiceChangesNothing) {
  const TestFolder folder;
  const auto key = test_key(1);
  auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
  append_all(*log, names(0, 3));
  const auto first = log->sign();
  ASSERT_TRUE(first);
  const auto files = files_of(folder.path());
  const auto second = log->sign();
  ASSERT_TRUE(second);
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(files_of(folder.path()), files);
}

TEST(LogWriter, SignedBytesDoNotDependOnHowTheLogGrew) {
  const TestFolder one;
  const TestFolder two;
  const auto key = test_key(1);
  auto at_once = LogWriter::open(one.path(), kWrittenOrigin, key);
  append_all(*at_once, names(0, 300));
  ASSERT_TRUE(at_once->sign());
  for (std::uint64_t size = 0; size < 300; size += 60) {
    auto reopened = LogWriter::open(two.path(), kWrittenOrigin, key);
    ASSERT_TRUE(reopened) << reopened.error().what;
    append_all(*reopened, {"not to be", "kept"});
    ASSERT_TRUE(reopened->truncate(size));
    append_all(*reopened, names(size, size + 60));
    ASSERT_TRUE(reopened->sign());
  }
  auto grown = files_of(two.path());
  for (const auto& [name, bytes] : files_of(one.path())) EXPECT_EQ(grown[name], bytes) << name;
}

TEST(LogWriter, PartialTilesGoOnlyOnceTheFullOneIsThere) {
  const TestFolder folder;
  const auto key = test_key(1);
  auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
  append_all(*log, names(0, 100));
  ASSERT_TRUE(log->sign());
  append_all(*log, names(100, 200));
  ASSERT_TRUE(log->sign());
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "tile/entries/000.p/100"));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "tile/0/000.p/200"));
  append_all(*log, names(200, 256));
  ASSERT_TRUE(log->sign());
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "tile/entries/000.p"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "tile/0/000.p"));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "tile/1/000.p/1"));
  EXPECT_TRUE(read_log(folder.path(), written_verifier()));
}

TEST(LogWriter, RefusesAnEntryOverTheLimit) {
  const TestFolder folder;
  const auto key = test_key(1);
  auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
  EXPECT_TRUE(log->append(std::string(65535, 'x')));
  const auto got = log->append(std::string(65536, 'x'));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kInvalidInput);
  EXPECT_TRUE(log->append(""));
  ASSERT_TRUE(log->sign());
  EXPECT_EQ(read_log(folder.path(), written_verifier())->entries.size(), 2U);
}

TEST(LogWriter, TakesBackUnsignedEntriesOnly) {
  const TestFolder folder;
  const auto key = test_key(1);
  {
    auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
    append_all(*log, names(0, 2));
    ASSERT_TRUE(log->sign());
    append_all(*log, names(2, 6));
    ASSERT_TRUE(log->truncate(4));
    EXPECT_EQ(log->entries(), names(0, 4));
    EXPECT_DEATH((void)log->truncate(1), "signed");
  }
  auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
  EXPECT_EQ(log->entries(), names(0, 4));
  ASSERT_TRUE(log->truncate(2));
  EXPECT_EQ(LogWriter::open(folder.path(), kWrittenOrigin, key)->entries(), names(0, 2));
}

TEST(LogWriter, TornJournalYieldsAPrefixAndNeverLessThanWhatIsSigned) {
  const TestFolder folder;
  const auto key = test_key(1);
  {
    auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
    append_all(*log, names(0, 2));
    ASSERT_TRUE(log->sign());
    append_all(*log, names(2, 4));
  }
  const Path pending = folder.path() / "pending";
  const ByteBuffer whole = *read_file(pending, 1 << 20);
  std::size_t last = 2;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    ASSERT_TRUE(write_file(pending, Bytes(whole).first(size)));
    const auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
    ASSERT_TRUE(log) << size << " " << log.error().what;
    EXPECT_EQ(log->signed_size(), 2U);
    ASSERT_GE(log->entries().size(), last) << size;
    last = log->entries().size();
    EXPECT_EQ(log->entries(), names(0, last)) << size;
  }
  EXPECT_EQ(last, 4U);
}

// Kills sign() after each of its writes: the folder as it was, then file after file as it became.
TEST(LogWriter, KilledAtAnyStepOfSigningGoesOnAsIfItWereNot) {
  const auto key = test_key(1);
  const TestFolder folder;
  auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
  append_all(*log, names(0, 250));
  ASSERT_TRUE(log->sign());
  append_all(*log, names(250, 260));
  const auto before = files_of(folder.path());
  ASSERT_TRUE(log->sign());
  const auto after = files_of(folder.path());
  const std::string steps[] = {"tile/entries/000", "tile/0/000",     "tile/entries/001.p/4",
                               "tile/0/001.p/4",   "tile/1/000.p/1", "checkpoints/260",
                               "checkpoint"};
  auto files = before;
  for (std::size_t killed = 0; killed <= std::size(steps); ++killed) {
    if (killed > 0) files[steps[killed - 1]] = after.at(steps[killed - 1]);
    const TestFolder copy;
    for (const auto& [name, bytes] : files) {
      ASSERT_TRUE(make_folders((copy.path() / name).parent_path()));
      ASSERT_TRUE(write_file(copy.path() / name, bytes));
    }
    EXPECT_TRUE(read_log(copy.path(), written_verifier())) << killed;
    auto again = LogWriter::open(copy.path(), kWrittenOrigin, key);
    ASSERT_TRUE(again) << killed << again.error().what;
    EXPECT_EQ(again->signed_size(), killed < 6 ? 250U : 260U) << killed;
    EXPECT_EQ(again->entries(), names(0, 260)) << killed;
    ASSERT_TRUE(again->sign());
    auto ended = files_of(copy.path());
    for (const auto& [name, bytes] : after) {
      if (name != "pending") {
        EXPECT_EQ(ended[name], bytes) << killed << " " << name;
      }
    }
  }
}

TEST(LogWriter, RefusesTheLogOfAnotherKeyOrOrigin) {
  const TestFolder folder;
  const auto key = test_key(1);
  const auto other = test_key(2);
  {
    auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
    append_all(*log, names(0, 2));
    ASSERT_TRUE(log->sign());
  }
  const auto files = files_of(folder.path());
  for (const auto& [origin, signer] :
       {std::pair{kWrittenOrigin, &other}, std::pair{std::string("example.com/other"), &key}}) {
    const auto log = LogWriter::open(folder.path(), origin, *signer);
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code, Code::kInvalidInput);
  }
  EXPECT_EQ(files_of(folder.path()), files);
}

TEST(LogWriter, RefusesATreeThatContradictsTheCheckpoint) {
  const auto key = test_key(1);
  for (const char* name : {"tile/entries/000.p/3", "tile/0/000.p/3"}) {
    const TestFolder folder;
    {
      auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
      append_all(*log, names(0, 3));
      ASSERT_TRUE(log->sign());
    }
    const Path path = folder.path() / name;
    ByteBuffer bytes = *read_file(path, 1 << 20);
    bytes.back() ^= 1;
    ASSERT_TRUE(write_file(path, bytes));
    const auto changed = LogWriter::open(folder.path(), kWrittenOrigin, key);
    ASSERT_FALSE(changed) << name;
    EXPECT_EQ(changed.error().code, Code::kCorrupt) << name;
    std::filesystem::remove(path);
    const auto absent = LogWriter::open(folder.path(), kWrittenOrigin, key);
    ASSERT_FALSE(absent) << name;
    EXPECT_EQ(absent.error().code, Code::kCorrupt) << name;
    EXPECT_NE(absent.error().what.find(name), std::string::npos);
  }
}

TEST(LogWriter, RefusesAJournalThatDoesNotContinueTheLog) {
  const TestFolder folder;
  const auto key = test_key(1);
  auto journal = Journal::open(folder.path() / "pending");
  ASSERT_TRUE(journal->journal.append(1, "x"));
  const auto log = LogWriter::open(folder.path(), kWrittenOrigin, key);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace aftune::tlog
