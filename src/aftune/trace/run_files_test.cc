// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/run_files.h"

#include <gtest/gtest.h>

#include "aftune/trace/finished_run_testing.h"

namespace aftune::trace {
namespace {

using testing::finished_job;
using testing::must;
using testing::put;
using testing::TempFolder;

TEST(RunFiles, ThatAreCopiedAreThoseOfThePage) {
  for (const char* name :
       {"contract.json", "root-salt", "data.jsonl", "base/model.safetensors", "adapter/x.json",
        "store/ab/ab12.raw", "log/checkpoint", "log/checkpoints/12", "log/tile/0/x001/000.p/7",
        "log/tile/entries/000", "model/config.json"}) {
    EXPECT_TRUE(is_copied_file(name)) << name;
  }
  for (const char* name :
       {"lock", "metrics.jsonl", "log/pending", "challenges/x.json", "base", "store", "other",
        "contract.json.tmp-1", "store/ab/ab12.raw.tmp-77", "log/other", "contract.json/x"}) {
    EXPECT_FALSE(is_copied_file(name)) << name;
  }
}

TEST(RunFiles, NoNameLeadsOutOfTheFolder) {
  for (const char* name : {"", "/", "/contract.json", "base/", "base//x", "base/../x", "base/..",
                           "../base/x", "base/.x", "base/x\\y", "base/x y", "base/x\n",
                           "log/tile/a/b/c/d/e/f/g", "base/\xC3\xBC", "store/./x"}) {
    EXPECT_FALSE(is_copied_file(name)) << name;
  }
  EXPECT_FALSE(is_copied_file(std::string_view("base/x\0y", 8)));
  EXPECT_TRUE(is_copied_file("base/" + std::string(255, 'x')));
  EXPECT_FALSE(is_copied_file("base/" + std::string(256, 'x')));
}

TEST(RunFiles, AreListedSoThatACheckpointFollowsWhatItCovers) {
  const auto files = must(copied_files(finished_job().run()));
  ASSERT_GT(files.size(), 20U);
  EXPECT_EQ(files.front().name, "contract.json");
  EXPECT_EQ(files.back().name, "log/checkpoint");
  const auto place = [&](const std::string& start) {
    return std::find_if(files.begin(), files.end(),
                        [&](const auto& file) { return file.name.starts_with(start); }) -
           files.begin();
  };
  EXPECT_LT(place("base/"), place("store/"));
  EXPECT_LT(place("store/"), place("log/tile/"));
  EXPECT_LT(place("model/"), place("log/tile/"));
  EXPECT_LT(place("log/tile/"), place("log/checkpoints/"));
  for (const auto& file : files) {
    EXPECT_EQ(file.size, must(aftune::file_size(finished_job().run().root / file.name)));
  }
}

TEST(RunFiles, OfOneFolderAreItsOwn) {
  for (const auto& file : must(copied_files(finished_job().run(), "log"))) {
    EXPECT_TRUE(file.name.starts_with("log/")) << file.name;
  }
  EXPECT_TRUE(must(copied_files(finished_job().run(), "adapter")).empty());
}

}  // namespace
}  // namespace aftune::trace
