// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/job_reader.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::cli {
namespace {

using trace::testing::must;
using trace::testing::put;

class JobReaderTest : public ::testing::Test {
 protected:
  Result<JobReader> load(std::string_view text) {
    put(file(), text);
    return JobReader::load(file());
  }
  Path file() const { return folder_ / "job.yaml"; }
  /// The error's text, the file's path shortened to its name.
  template <typename T>
  std::string error(const Result<T>& result) {
    if (result) return "no error";
    EXPECT_EQ(result.error().code, Code::kInvalidInput);
    std::string what = result.error().what;
    if (what.rfind(file().string(), 0) == 0) {
      what = "job.yaml" + what.substr(file().string().size());
    }
    return what;
  }
  const trace::testing::TempFolder folder_;
};

TEST_F(JobReaderTest, FlagsArePairsOfKeyAndValue) {
  const auto flags = must(job_flags({"--a.b", "1", "--c=x=y", "--d", "-1"}));
  ASSERT_EQ(flags.size(), 3U);
  EXPECT_EQ(flags[0].key + " " + flags[0].value, "a.b 1");
  EXPECT_EQ(flags[1].key + " " + flags[1].value, "c x=y");
  EXPECT_EQ(flags[2].key + " " + flags[2].value, "d -1");
  for (const std::vector<std::string>& lie : std::vector<std::vector<std::string>>{
           {"a"}, {"-a", "1"}, {"--"}, {"--a"}, {"--a="}, {"--a", ""}, {"--a", "1", "b"}}) {
    EXPECT_FALSE(job_flags(lie)) << lie.front();
  }
}

TEST_F(JobReaderTest, ReadsListsOfValues) {
  JobReader job = must(load("a: [x, 2]\nb:\n  - y\nc: []\nd: text\ne: [[x]]\n"));
  EXPECT_EQ(must(job.texts("a")), (std::vector<std::string>{"x", "2"}));
  EXPECT_EQ(must(job.texts("b")), std::vector<std::string>{"y"});
  for (const char* key : {"c", "d", "e", "f"}) {
    EXPECT_NE(error(job.texts(key)).find("a list"), std::string::npos) << key;
  }
}

TEST_F(JobReaderTest, ReadsValuesOfEachKind) {
  JobReader job = must(load("a: text\nb: 7\nc: 1e-3\nd: true\ne: {f: \"12\"}\n"));
  EXPECT_EQ(must(job.text("a")), "text");
  EXPECT_EQ(must(job.count("b", 1, 7)), 7U);
  EXPECT_EQ(must(job.real("c")), 1e-3);
  EXPECT_TRUE(must(job.boolean("d")));
  JobReader inner = must(job.map("e"));
  EXPECT_EQ(must(inner.text("f")), "12");
  EXPECT_TRUE(inner.finish());
  EXPECT_TRUE(job.finish());
}

TEST_F(JobReaderTest, AbsentKeysMayHaveAValueOfOurs) {
  JobReader job = must(load("a: 1\nnothing:\n"));
  EXPECT_TRUE(job.has("a"));
  EXPECT_FALSE(job.has("b"));
  EXPECT_FALSE(job.has("nothing"));
  EXPECT_EQ(must(job.text_or("b", "x")), "x");
  EXPECT_EQ(must(job.count_or("b", 5, 1, 9)), 5U);
  EXPECT_EQ(must(job.real_or("b", 0.5)), 0.5);
  EXPECT_TRUE(must(job.boolean_or("b", true)));
  EXPECT_TRUE(must(job.map_or_empty("b")).finish());
  EXPECT_EQ(must(job.count_or("a", 5, 1, 9)), 1U);
}

TEST_F(JobReaderTest, ErrorsNameFileLineAndKey) {
  JobReader job = must(load("# a job\na: 1\nb: many\nc: {d: 0, e: yes}\nf: .nan\ng: [1]\n"));
  EXPECT_EQ(error(job.text("z")), "job.yaml:2: z is missing, needs a value");
  EXPECT_EQ(error(job.count("b", 1, 9)), "job.yaml:3: b is \"many\", needs an integer from 1 to 9");
  JobReader c = must(job.map("c"));
  EXPECT_EQ(error(c.count("d", 1, 9)), "job.yaml:4: c.d is \"0\", needs an integer from 1 to 9");
  EXPECT_EQ(error(c.boolean("e")), "job.yaml:4: c.e is \"yes\", needs true or false");
  EXPECT_EQ(error(c.real("x")), "job.yaml:4: c.x is missing, needs a value");
  EXPECT_EQ(error(job.real("f")), "job.yaml:5: f is \".nan\", needs a finite number");
  EXPECT_EQ(error(job.text("g")), "job.yaml:6: g is no single value, needs a value");
  EXPECT_EQ(error(job.map("a")), "job.yaml:2: a is \"1\", needs a map");
}

TEST_F(JobReaderTest, NumbersHaveNoOtherSpelling) {
  for (const char* bad : {"-1", "1.0", "0x1", "1e3", " ", "99999999999999999999", "1_000", "+1"}) {
    JobReader job = must(load(fmt::format("a: \"{}\"\n", bad)));
    EXPECT_FALSE(job.count("a", 0, ~std::uint64_t{0})) << bad;
  }
  for (const char* bad : {"nan", "inf", "-inf", "1e999", "1,5", "one", ""}) {
    JobReader job = must(load(fmt::format("a: \"{}\"\n", bad)));
    EXPECT_FALSE(job.real("a")) << bad;
  }
}

TEST_F(JobReaderTest, KeysThatNobodyAskedForAreRefused) {
  JobReader job = must(load("a: 1\nb: {c: 1, d: 2}\n"));
  must(job.text("a"));
  JobReader b = must(job.map("b"));
  must(b.text("c"));
  EXPECT_EQ(error(b.finish()), "job.yaml:2: b.d is unknown");
  EXPECT_TRUE(job.finish());
}

TEST_F(JobReaderTest, AKeyThatStandsThereTwiceIsRefused) {
  JobReader job = must(load("a: 1\nb: 2\na: 3\n"));
  (void)job.text("a");
  (void)job.text("b");
  EXPECT_EQ(error(job.finish()), "job.yaml:3: a stands there twice");
}

TEST_F(JobReaderTest, WhereFollowsADottedKeyAsFarAsItGoes) {
  const JobReader job = must(load("a:\n  b:\n    c: 1\n"));
  const std::string name = file().string();
  EXPECT_EQ(job.where("a.b.c"), name + ":3: a.b.c");
  EXPECT_EQ(job.where("a.b.x"), name + ":3: a.b.x");
  EXPECT_EQ(job.where("a.y"), name + ":2: a.y");
  EXPECT_EQ(job.where("q"), name + ":1: q");
}

TEST_F(JobReaderTest, FilesThatAreNoJobAreRefused) {
  EXPECT_EQ(JobReader::load(folder_ / "none").error().code, Code::kNotFound);
  for (const char* bad : {"", "- 1\n", "text", "a: [1\n", "a: 1\n---\nb: 2\n", "a: &x {b: *y}\n",
                          "\xff\xfe\x00", "\t: :"}) {
    EXPECT_FALSE(load(bad)) << bad;
  }
  EXPECT_FALSE(load(std::string((1 << 20) + 1, '#')));
  EXPECT_FALSE(load(std::string(100000, '[')));
  EXPECT_EQ(error(load("a: 1\nb: [\n")).rfind("job.yaml:", 0), 0U);
}

// YAML::LoadAll makes documents of it until memory ends.
TEST_F(JobReaderTest, ATokenThatNoDocumentTakesEndsTheReading) {
  EXPECT_FALSE(load("&1 '4', [1]\n: ~ ~\n"));
}

}  // namespace
}  // namespace aftune::cli
