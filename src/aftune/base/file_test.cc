// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace aftune {
namespace {

namespace fs = std::filesystem;

class File : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "aftune-file-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { fs::remove_all(dir_); }

  [[nodiscard]] Path at(const char* name) const { return dir_ / name; }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(dir_)) out.push_back(entry.path().filename());
    std::sort(out.begin(), out.end());
    return out;
  }
  static std::string content(const Path& path) {
    auto text = read_text_file(path, 1 << 20);
    return text ? *text : "error: " + text.error().what;
  }
  static unsigned mode(const Path& path) {
    struct stat facts {};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0);
    return facts.st_mode & 0777U;
  }

  Path dir_;
};

template <typename T>
std::optional<Code> code_of(const Result<T>& result) {
  if (result) return std::nullopt;
  return result.error().code;
}

TEST_F(File, ReadGivesWhatWasWritten) {
  ASSERT_TRUE(write_file(at("a"), as_bytes(std::string_view("one\0two", 7))));
  EXPECT_EQ(content(at("a")), std::string("one\0two", 7));
  EXPECT_EQ(*aftune::file_size(at("a")), 7u);
}

TEST_F(File, ReadTakesTheLimitAndRefusesOneByteMore) {
  ASSERT_TRUE(write_file(at("a"), as_bytes("12345")));
  EXPECT_TRUE(read_file(at("a"), 5));
  const auto refused = read_file(at("a"), 4);
  ASSERT_EQ(code_of(refused), Code::kInvalidInput);
  EXPECT_NE(refused.error().what.find("has 5 bytes, the limit is 4"), std::string::npos);
}

TEST_F(File, MissingFileIsNotFound) {
  EXPECT_EQ(code_of(read_file(at("none"), 9)), Code::kNotFound);
  EXPECT_EQ(code_of(aftune::file_size(at("none"))), Code::kNotFound);
  EXPECT_EQ(code_of(MappedFile::open(at("none"))), Code::kNotFound);
  EXPECT_EQ(code_of(read_file_pieces(at("none"), [](Bytes) {})), Code::kNotFound);
}

TEST_F(File, FolderAndPipeAreNoRegularFiles) {
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  for (const Path& path : {dir_, at("pipe")}) {
    EXPECT_EQ(code_of(read_file(path, 9)), Code::kInvalidInput) << path;
    EXPECT_EQ(code_of(aftune::file_size(path)), Code::kInvalidInput) << path;
    EXPECT_EQ(code_of(MappedFile::open(path)), Code::kInvalidInput) << path;
  }
}

TEST_F(File, PiecesJoinToTheWholeFile) {
  std::string text(std::size_t{2 << 20} + 5, 'x');
  text[std::size_t{1} << 20] = 'y';
  ASSERT_TRUE(write_file(at("a"), as_bytes(text)));
  std::string joined;
  std::size_t largest = 0;
  ASSERT_TRUE(read_file_pieces(at("a"), [&](Bytes piece) {
    joined += as_text(piece);
    largest = std::max(largest, piece.size());
  }));
  EXPECT_TRUE(joined == text);
  EXPECT_LE(largest, std::size_t{1} << 20);
}

TEST_F(File, EmptyFileReadsMapsAndComesInNoPieces) {
  ASSERT_TRUE(write_file(at("a"), {}));
  EXPECT_EQ(content(at("a")), "");
  EXPECT_TRUE(MappedFile::open(at("a"))->bytes().empty());
  int pieces = 0;
  EXPECT_TRUE(read_file_pieces(at("a"), [&](Bytes) { ++pieces; }));
  EXPECT_EQ(pieces, 0);
}

TEST_F(File, MapSurvivesBeingMoved) {
  ASSERT_TRUE(write_file(at("a"), as_bytes("mapped")));
  auto opened = MappedFile::open(at("a"));
  ASSERT_TRUE(opened);
  MappedFile moved = *std::move(opened);
  EXPECT_EQ(as_text(moved.bytes()), "mapped");
  auto other = MappedFile::open(at("a"));
  moved = *std::move(other);
  EXPECT_EQ(as_text(moved.bytes()), "mapped");
}

TEST_F(File, MakeFoldersMakesParentsAndAcceptsWhatIsThere) {
  EXPECT_TRUE(make_folders(dir_ / "a" / "b" / "c"));
  EXPECT_TRUE(make_folders(dir_ / "a" / "b" / "c" / ""));
  EXPECT_TRUE(fs::is_directory(dir_ / "a" / "b" / "c"));
  ASSERT_TRUE(write_file(at("file"), {}));
  EXPECT_FALSE(make_folders(at("file")));
  EXPECT_FALSE(make_folders(at("file") / "below"));
}

TEST_F(File, WriteReplacesTheOldContent) {
  ASSERT_TRUE(write_file(at("a"), as_bytes("old and longer")));
  ASSERT_TRUE(write_file(at("a"), as_bytes("new")));
  EXPECT_EQ(content(at("a")), "new");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(File, WriteNewNeverReplaces) {
  ASSERT_TRUE(write_new_file(at("a"), as_bytes("first")));
  EXPECT_EQ(code_of(write_new_file(at("a"), as_bytes("second"))), Code::kInvalidInput);
  EXPECT_EQ(code_of(write_new_private_file(at("a"), as_bytes("third"))), Code::kInvalidInput);
  EXPECT_EQ(content(at("a")), "first");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(File, PrivateFileIsForItsOwnerAlone) {
  const mode_t before = ::umask(0);
  const Status wrote = write_new_private_file(at("key"), as_bytes("secret"));
  const Status open = write_new_file(at("open"), as_bytes("no secret"));
  ::umask(before);
  ASSERT_TRUE(wrote);
  ASSERT_TRUE(open);
  EXPECT_EQ(mode(at("key")), 0600u);
  EXPECT_EQ(mode(at("open")), 0666u);
}

TEST_F(File, WriteIntoMissingFolderIsUnavailable) {
  EXPECT_EQ(code_of(write_file(dir_ / "none" / "a", {})), Code::kUnavailable);
  EXPECT_EQ(code_of(write_new_file(dir_ / "none" / "a", {})), Code::kUnavailable);
}

TEST_F(File, StagedBytesAppearOnCommitOnly) {
  auto staged = StagedFile::create(at("a"));
  ASSERT_TRUE(staged);
  ASSERT_TRUE(staged->append(as_bytes("head, ")));
  ASSERT_TRUE(staged->append(as_bytes("tail")));
  ASSERT_TRUE(staged->overwrite(0, as_bytes("HEAD")));
  ASSERT_TRUE(staged->append(as_bytes("!")));
  EXPECT_FALSE(fs::exists(at("a")));
  ASSERT_TRUE((*std::move(staged)).commit());
  EXPECT_EQ(content(at("a")), "HEAD, tail!");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(File, DroppedStageLeavesNothingAndKeepsTheOldContent) {
  ASSERT_TRUE(write_file(at("a"), as_bytes("old")));
  {
    auto staged = StagedFile::create(at("a"));
    ASSERT_TRUE(staged && staged->append(as_bytes("half")));
    const StagedFile moved = *std::move(staged);
    EXPECT_EQ(names().size(), 2u);
  }
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
  EXPECT_EQ(content(at("a")), "old");
}

TEST_F(File, FailedCommitLeavesNothing) {
  fs::create_directories(at("folder") / "inside");
  {
    auto staged = StagedFile::create(at("folder"));
    ASSERT_TRUE(staged);
    EXPECT_EQ(code_of((*std::move(staged)).commit()), Code::kUnavailable);
  }
  EXPECT_EQ(names(), std::vector<std::string>{"folder"});
}

TEST_F(File, UnsettledFileAppearsOnlyWhenItIsSettled) {
  auto staged = StagedFile::create(at("a"));
  ASSERT_TRUE(staged && staged->append(as_bytes("x")));
  const UnsettledFile file = (*std::move(staged)).leave_unsettled();
  EXPECT_FALSE(fs::exists(at("a")));
  EXPECT_TRUE(fs::exists(file.staged));
  ASSERT_TRUE(settle_file(file));
  EXPECT_EQ(content(at("a")), "x");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
  EXPECT_EQ(code_of(settle_file(file)), Code::kNotFound);
}

TEST_F(File, LockIsHeldOnceUntilItsOwnerGoes) {
  {
    const auto held = FileLock::acquire(at("lock"));
    ASSERT_TRUE(held);
    const auto second = FileLock::acquire(at("lock"));
    ASSERT_EQ(code_of(second), Code::kUnavailable);
    EXPECT_NE(second.error().what.find("lock is held"), std::string::npos);
  }
  EXPECT_TRUE(FileLock::acquire(at("lock")));
}

}  // namespace
}  // namespace aftune
