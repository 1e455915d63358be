// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/staged_folder.h"

#include <gtest/gtest.h>

#include <utility>

#include "aftune/model/temp_folder_testing.h"

namespace aftune::model {
namespace {

using testing::get;
using testing::names_in;
using testing::put;
using testing::TempFolder;

TEST(StagedFolder, KeepsWhatIsCommitted) {
  const TempFolder root;
  const Path target = root / "a/b/c";
  auto staged = StagedFolder::create(target);
  ASSERT_TRUE(staged) << staged.error().what;
  ASSERT_TRUE(staged->write("x", as_bytes("12")));
  const Tensor tensor = Tensor::zeros({2});
  ASSERT_TRUE(staged->write_tensors("t.safetensors", {{"t", tensor.view()}}));
  ASSERT_TRUE((*std::move(staged)).commit());
  EXPECT_EQ(names_in(target), (std::vector<std::string>{"t.safetensors", "x"}));
  EXPECT_EQ(get(target / "x"), "12");
}

TEST(StagedFolder, RemovesFilesAndFoldersThatItMade) {
  const TempFolder root;
  {
    auto staged = StagedFolder::create(root / "a/b/c");
    ASSERT_TRUE(staged);
    ASSERT_TRUE(staged->write("x", as_bytes("12")));
    ASSERT_TRUE(std::filesystem::exists(root / "a/b/c/x"));
  }
  EXPECT_TRUE(names_in(root.path()).empty());
}

TEST(StagedFolder, LeavesAnEmptyFolderThatWasThere) {
  const TempFolder root;
  std::filesystem::create_directory(root / "a");
  {
    auto staged = StagedFolder::create(root / "a/");
    ASSERT_TRUE(staged);
    ASSERT_TRUE(staged->write("x", as_bytes("12")));
  }
  EXPECT_EQ(names_in(root.path()), (std::vector<std::string>{"a"}));
  EXPECT_TRUE(names_in(root / "a").empty());
}

TEST(StagedFolder, LeavesWhatSomebodyElsePutThere) {
  const TempFolder root;
  {
    auto staged = StagedFolder::create(root / "a");
    ASSERT_TRUE(staged);
    ASSERT_TRUE(staged->write("x", as_bytes("12")));
    put(root / "a/other", "kept");
  }
  EXPECT_EQ(names_in(root / "a"), (std::vector<std::string>{"other"}));
}

TEST(StagedFolder, RefusesAFolderWithContentAndTouchesNothing) {
  const TempFolder root;
  put(root / "file", "kept");
  const auto full = StagedFolder::create(root.path());
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kInvalidInput);
  EXPECT_EQ(full.error().what, "folder " + root.path().string() + " is not empty");
  const auto file = StagedFolder::create(root / "file");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kInvalidInput);
  EXPECT_EQ(get(root / "file"), "kept");
}

TEST(StagedFolder, FolderThatCannotBeMadeLeavesNothing) {
  const TempFolder root;
  put(root / "file", "kept");
  EXPECT_FALSE(StagedFolder::create(root / "file/a/b"));
  EXPECT_EQ(names_in(root.path()), (std::vector<std::string>{"file"}));
}

TEST(StagedFolder, WriteThatFailsIsReported) {
  const TempFolder root;
  auto staged = StagedFolder::create(root / "a");
  ASSERT_TRUE(staged);
  std::filesystem::remove(root / "a");
  const Status status = staged->write("x", as_bytes("12"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace aftune::model
