// SPDX-License-Identifier: Apache-2.0
#include "aftune/image/data_set.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "aftune/base/check.h"

namespace aftune::image {
namespace {

/// A folder of its own, removed with everything in it.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "aftune-image-XXXXXX").string();
    AFTUNE_CHECK(::mkdtemp(name.data()) != nullptr, name);
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] Path operator/(std::string_view name) const { return path_ / name; }

 private:
  Path path_;
};

// A PNG of one red pixel.
constexpr std::uint8_t kRed[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00,
    0x00, 0x90, 0x77, 0x53, 0xde, 0x00, 0x00, 0x00, 0x0c, 0x49, 0x44, 0x41, 0x54, 0x78,
    0x9c, 0x63, 0xf8, 0xcf, 0xc0, 0x00, 0x00, 0x03, 0x01, 0x01, 0x00, 0xc9, 0xfe, 0x92,
    0xef, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

void put(const Path& path, Bytes bytes) {
  AFTUNE_CHECK(write_file(path, bytes).has_value(), path.string());
}

std::vector<ImageRow> rows_in(const Path& file) {
  const auto text = read_text_file(file, 1 << 20);
  AFTUNE_CHECK(text.has_value(), file.string());
  std::vector<ImageRow> rows;
  for (std::size_t from = 0; from < text->size();) {
    const std::size_t end = text->find('\n', from);
    rows.push_back(*parse_row(std::string_view(*text).substr(from, end - from)));
    from = end + 1;
  }
  return rows;
}

/// Three images of 1 x 2 and their classes.
class IdxRows : public ::testing::Test {
 protected:
  void SetUp() override {
    put(here_ / "images",
        ByteBuffer{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6});
    put(here_ / "labels", ByteBuffer{0, 0, 8, 1, 0, 0, 0, 3, 9, 0, 4});
  }
  const TempFolder here_;
};

TEST_F(IdxRows, AreThePixelsInTheirOrder) {
  const auto count = write_idx_rows(here_ / "images", here_ / "labels", {}, 0, here_ / "out");
  ASSERT_TRUE(count) << count.error().what;
  EXPECT_EQ(*count, 3U);
  EXPECT_EQ(rows_in(here_ / "out"),
            (std::vector<ImageRow>{
                {{1, 1, 2, {1, 2}}, 9}, {{1, 1, 2, {3, 4}}, 0}, {{1, 1, 2, {5, 6}}, 4}}));
}

TEST_F(IdxRows, AreCutToTheLimitAndShaped) {
  const auto count =
      write_idx_rows(here_ / "images", here_ / "labels", {true, 3, 2}, 1, here_ / "out");
  ASSERT_TRUE(count) << count.error().what;
  EXPECT_EQ(*count, 1U);
  EXPECT_EQ(rows_in(here_ / "out"), (std::vector<ImageRow>{{{3, 2, 2, ByteBuffer(12, 1)}, 9}}));
}

TEST_F(IdxRows, APairThatDoesNotBelongTogetherIsRefused) {
  const auto refused = [&](const char* images, const char* labels, const char* what) {
    const auto got = write_idx_rows(here_ / images, here_ / labels, {}, 0, here_ / "out");
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().what.find(what), std::string::npos) << got.error().what;
    EXPECT_FALSE(std::filesystem::exists(here_ / "out"));
  };
  refused("labels", "labels", "images have 1 axes, needed are 3 or 4");
  refused("images", "images", "classes have 3 axes, needed is 1");
  put(here_ / "two", ByteBuffer{0, 0, 8, 1, 0, 0, 0, 2, 9, 0});
  refused("images", "two", "3 images and 2 classes");
  put(here_ / "none", ByteBuffer{0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2});
  put(here_ / "no-class", ByteBuffer{0, 0, 8, 1, 0, 0, 0, 0});
  refused("none", "no-class", "0 images, at least 1 is needed");
  put(here_ / "flat", ByteBuffer{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2});
  refused("flat", "labels", "a side of 0 pixels, 1 to 4096 are allowed");
  refused("absent", "labels", "absent");
}

TEST(FolderRows, ClassesFollowTheNamesOfTheFolders) {
  const TempFolder here;
  for (const char* name : {"b", "B", "a"}) ASSERT_TRUE(make_folders(here / "in" / name));
  put(here / "in" / "b" / "2.png", kRed);
  put(here / "in" / "b" / "10.png", kRed);
  put(here / "in" / "B" / "x", kRed);
  put(here / "in" / "a" / "x.png", kRed);
  put(here / "in" / "a" / ".hidden", kRed);
  const auto made = write_folder_rows(here / "in", {false, 1, 2}, here / "out");
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_EQ(made->classes, (std::vector<std::string>{"B", "a", "b"}));
  EXPECT_EQ(made->rows, 4U);
  const auto rows = rows_in(here / "out");
  ASSERT_EQ(rows.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(rows[i], (ImageRow{{1, 2, 2, ByteBuffer(4, 76)},
                                 static_cast<std::uint32_t>(std::min<std::size_t>(i, 2))}));
  }
}

TEST(FolderRows, WhatIsNoImageOrNoClassIsRefusedByName) {
  const TempFolder here;
  ASSERT_TRUE(make_folders(here / "in"));
  EXPECT_NE(
      write_folder_rows(here / "in", {}, here / "out").error().what.find("no folder of a class"),
      std::string::npos);
  ASSERT_TRUE(make_folders(here / "in" / "a"));
  EXPECT_NE(write_folder_rows(here / "in", {}, here / "out").error().what.find("has no image"),
            std::string::npos);
  put(here / "in" / "a" / "notes.txt", as_bytes("hello"));
  EXPECT_NE(write_folder_rows(here / "in", {}, here / "out")
                .error()
                .what.find("notes.txt: neither a PNG nor a JPEG file"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(here / "out"));
}

TEST(Shaping, ChannelsThatNobodyDefinedAreRefused) {
  const auto got = shaped({4, 1, 1, {1, 2, 3, 4}}, {false, 3, 0});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().what, "3 channels of an image that has 4");
}

}  // namespace
}  // namespace aftune::image
