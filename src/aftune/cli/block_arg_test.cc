// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/block_arg.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "aftune/cli/exit_code.h"
#include "aftune/cli/out_file.h"
#include "aftune/trace/tiny_job_testing.h"

namespace aftune::cli {
namespace {

TEST(ParseBlock, TakesTwoNumbers) {
  EXPECT_EQ(*parse_block("0,0"), (audit::BlockIndex{0, 0}));
  EXPECT_EQ(*parse_block("12,345"), (audit::BlockIndex{12, 345}));
  EXPECT_EQ(*parse_block("4294967295,18446744073709551615"),
            (audit::BlockIndex{4294967295U, ~std::uint64_t{0}}));
}

TEST(ParseBlock, RefusesEverythingElse) {
  for (const char* bad :
       {"", ",", "1", "1,", ",1", "1,2,3", "1, 2", " 1,2", "1,2 ", "-1,2", "1,-2", "+1,2", "a,b",
        "1;2", "0x1,2", "4294967296,0", "0,18446744073709551616", "1.0,2"}) {
    const auto block = parse_block(bad);
    ASSERT_FALSE(block) << bad;
    EXPECT_EQ(block.error().code, Code::kInvalidInput);
    EXPECT_NE(block.error().what.find(fmt::format("\"{}\"", bad)), std::string::npos);
  }
}

TEST(CheckOutFile, RefusesWhatIsThere) {
  const trace::testing::TempFolder folder;
  EXPECT_TRUE(check_out_file(folder / "new"));
  trace::testing::put(folder / "file", "x");
  std::filesystem::create_symlink("nowhere", folder / "link");
  for (const Path& bad : {folder / "file", folder / "link", folder.path()}) {
    const Status checked = check_out_file(bad);
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().code, Code::kInvalidInput);
    EXPECT_NE(checked.error().what.find(bad.string()), std::string::npos);
  }
  EXPECT_EQ(check_out_file(folder / "none/new").error().code, Code::kNotFound);
}

TEST(Report, PicksTheDocumentedExitCodeAndOneLine) {
  const std::pair<Code, Exit> table[] = {
      {Code::kInvalidInput, Exit::kUsage},    {Code::kNotFound, Exit::kUsage},
      {Code::kUnsupported, Exit::kUsage},     {Code::kCorrupt, Exit::kRejected},
      {Code::kUnavailable, Exit::kUnchecked}, {Code::kNonFinite, Exit::kUnchecked}};
  for (const auto& [code, exit] : table) {
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(report("train", {code, "x\nACCEPT \x1b[2J"}), exit);
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "aftune train: x\\x0aACCEPT \\x1b[2J\n");
  }
}

}  // namespace
}  // namespace aftune::cli
