// SPDX-License-Identifier: Apache-2.0
#include "aftune/base/file_reader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace aftune {
namespace {

class FileReaderTest : public ::testing::Test {
 protected:
  FileReaderTest() {
    std::string name = (std::filesystem::temp_directory_path() / "aftune-test-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~FileReaderTest() override { std::filesystem::remove_all(folder_); }
  Result<FileReader> reader_of(std::string_view text) {
    EXPECT_TRUE(write_file(folder_ / "file", as_bytes(text)));
    return FileReader::open(folder_ / "file");
  }
  Path folder_;
};

TEST_F(FileReaderTest, ReadsPieceByPieceToTheEnd) {
  auto reader = reader_of("abcdef");
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->size(), 6U);
  ByteBuffer piece(4);
  ASSERT_TRUE(reader->read(piece));
  EXPECT_EQ(as_text(piece), "abcd");
  EXPECT_EQ(reader->left(), 2U);
  piece.resize(2);
  ASSERT_TRUE(reader->read(piece));
  EXPECT_EQ(as_text(piece), "ef");
  EXPECT_EQ(reader->left(), 0U);
  EXPECT_TRUE(reader->read({}));
}

TEST_F(FileReaderTest, MoreThanThereIsIsCorruptAndTakesNothing) {
  auto reader = reader_of("abc");
  ASSERT_TRUE(reader);
  ByteBuffer piece(4);
  const Status read = reader->read(piece);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kCorrupt);
  EXPECT_NE(read.error().what.find("has 3 bytes, 4 are wanted from byte 0"), std::string::npos);
  EXPECT_EQ(reader->left(), 3U);
}

TEST_F(FileReaderTest, AFileThatShrinksIsTrouble) {
  auto reader = reader_of("abc");
  ASSERT_TRUE(reader);
  ASSERT_EQ(::truncate((folder_ / "file").c_str(), 1), 0);
  ByteBuffer piece(3);
  const Status read = reader->read(piece);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kUnavailable);
}

TEST_F(FileReaderTest, OpensRegularFilesOnly) {
  EXPECT_EQ(FileReader::open(folder_ / "none").error().code, Code::kNotFound);
  EXPECT_EQ(FileReader::open(folder_).error().code, Code::kInvalidInput);
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(FileReader::open(folder_ / "pipe").error().code, Code::kInvalidInput);
}

}  // namespace
}  // namespace aftune
