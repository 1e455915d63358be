// SPDX-License-Identifier: Apache-2.0
// Full disks, folders that cannot be written, and runs that end early.
#include <sys/stat.h>

#include "tiny_place.h"

namespace aftune::program {
namespace {

using trace::testing::get;
using trace::testing::TempFolder;
using Arguments = std::vector<std::string>;

std::string root_of(const std::string& run) {
  const Outcome verified = aftune({"log", "verify", "--run", run});
  return verified.exit == 0 ? verified.out : verified.err;
}

/// examples/tiny in a folder: its files are large enough for a limit to meet different ones.
class FullDisk : public ::testing::Test {
 protected:
  FullDisk() {
    const Path tiny = Path(AFTUNE_SOURCE_DIR) / "examples" / "tiny";
    std::filesystem::copy(tiny / "provider.key", folder_ / "provider.key");
    std::filesystem::permissions(folder_ / "provider.key", std::filesystem::perms::owner_read);
    EXPECT_TRUE(
        done(aftune({"random-model", "--config", (tiny / "config.json").string(), "--tokenizer",
                     (tiny / "tokenizer.json").string(), "--seed", "7", "-o", own("base")})));
    contract_ = (tiny / "contract.json").string();
    data_ = (tiny / "data.jsonl").string();
  }
  [[nodiscard]] std::string own(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  Outcome train(const std::string& run, std::uint64_t file_bytes) {
    Around around;
    around.file_bytes = file_bytes;
    std::vector<std::string> arguments = {
        "train",   contract_,   "--run",  run,   "--key",  own("provider.key"),
        "--model", own("base"), "--data", data_, "--quiet"};
    if (std::filesystem::exists(run)) arguments.push_back("--resume");
    return aftune(arguments, around);
  }
  const TempFolder folder_;
  std::string contract_, data_;
};

TEST_F(FullDisk, StopsTheRunAndAResumeGivesTheRootOfTheUninterruptedRun) {
  const std::uint64_t none = std::numeric_limits<std::uint64_t>::max();
  ASSERT_TRUE(done(train(own("whole"), none)));
  const std::string root = root_of(own("whole"));
  ASSERT_EQ(root.size(), 65U) << root;
  std::set<std::string> met;
  for (const std::uint64_t limit : {100U, 12000U, 26000U, 60000U, 200000U}) {
    const std::string run = own("run" + std::to_string(limit));
    const Outcome stopped = train(run, limit);
    ASSERT_TRUE(refused(stopped, 3, {"aftune train: ", "File too large", run})) << limit;
    met.insert(stopped.err.substr(0, stopped.err.find(".tmp-")));
    if (std::filesystem::exists(run + "/log/checkpoint")) {
      EXPECT_TRUE(done(aftune({"store", "check", "--run", run}))) << limit;
    }
    ASSERT_TRUE(done(train(run, none))) << limit;
    EXPECT_EQ(root_of(run), root) << limit;
    EXPECT_TRUE(done(aftune({"store", "check", "--run", run}))) << limit;
    std::filesystem::remove_all(run);
  }
  EXPECT_GE(met.size(), 3U) << "the limits met one file only";
}

TEST_F(FullDisk, SmallAnswersAreWholeOrNotThere) {
  const TinyPlace& here = tiny_place();
  Around full;
  full.file_bytes = 20;
  const auto expect_full = [&](const Arguments& command, const std::string& made) {
    const Outcome outcome = aftune(command, full);
    EXPECT_EQ(outcome.exit, 3) << command[0] << outcome.err;
    EXPECT_NE(outcome.err.find("File too large"), std::string::npos) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(made)) << made;
  };
  expect_full({"keygen", "-o", own("keys"), "--name", "x"}, own("keys/x.key"));
  expect_full({"import", here / "model", "-o", own("imported")}, own("imported"));
  expect_full({"contract", "draft", "-c", here / "contract.yaml", "-o", own("contract.json")},
              own("contract.json"));
  expect_full(here.audit({"--all", "-o", own("verdict.json")}), own("verdict.json"));
  expect_full({"log", "proof", "--run", here / "run", "--entry", "2", "-o", own("proof")},
              own("proof"));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path();
  }
  std::filesystem::copy(here / "contract.json", own("signed.json"));
  const std::string before = get(own("signed.json"));
  EXPECT_TRUE(refused(aftune({"contract", "sign", own("signed.json"), "--role", "client", "--key",
                              here / "keys/client.key"},
                             full),
                      3, {"signed.json"}));
  EXPECT_EQ(get(own("signed.json")), before);
  expect_untouched();
}

TEST(ReadOnly, RunFoldersCanBeReadButNotTrainedIn) {
  if (!can_be_powerless()) GTEST_SKIP() << "the program cannot be run without root's rights here";
  const TinyPlace& here = tiny_place();
  const TempFolder folder;
  const std::string run = (folder.path() / "run").string();
  std::filesystem::copy(here / "run", run, std::filesystem::copy_options::recursive);
  std::filesystem::copy(here / "contract.json", folder / "contract.json");
  ::chmod(folder.path().c_str(), 0755);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run)) {
    ::chmod(entry.path().c_str(), entry.is_directory() ? 0555 : 0444);
  }
  ::chmod(run.c_str(), 0555);
  Around powerless;
  powerless.powerless = true;
  const auto before = trace::testing::files_of(run);
  EXPECT_TRUE(done(aftune({"log", "verify", "--run", run}, powerless)));
  EXPECT_TRUE(done(aftune({"store", "check", "--run", run}, powerless)));
  EXPECT_TRUE(done(aftune({"audit", (folder / "contract.json").string(), "--run", run, "--all",
                           "--delivered", run + "/model"},
                          powerless)));
  const Outcome refused_out = aftune({"audit", (folder / "contract.json").string(), "--run", run,
                                      "--all", "-o", run + "/verdict.json"},
                                     powerless);
  EXPECT_EQ(refused_out.exit, 3) << refused_out.err;
  EXPECT_NE(refused_out.err.find("verdict.json"), std::string::npos);
  const Outcome made = aftune({"keygen", "-o", run + "/keys", "--name", "x"}, powerless);
  EXPECT_TRUE(refused(made, 3, {run + "/keys", "Permission denied"}));
  EXPECT_EQ(trace::testing::files_of(run), before);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run)) {
    if (entry.is_directory()) ::chmod(entry.path().c_str(), 0755);
  }
  ::chmod(run.c_str(), 0755);
}

TEST(ReadOnly, ATrainerSaysWhichFileItCannotWrite) {
  if (!can_be_powerless()) GTEST_SKIP() << "the program cannot be run without root's rights here";
  const TinyPlace place;
  std::filesystem::permissions(place.path(), std::filesystem::perms::all);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place.path())) {
    if (::geteuid() == 0) {
      EXPECT_EQ(::chown(entry.path().c_str(), 65534, 65534), 0);
    }
  }
  ::chmod((place / "run/log").c_str(), 0555);
  ::chmod((place / "run/log/pending").c_str(), 0444);
  Around powerless;
  powerless.powerless = true;
  const Outcome stopped = aftune(place.train({{"--resume", ""}}), powerless);
  EXPECT_TRUE(refused(stopped, 3, {"run/log", "Permission denied"}));
  ::chmod((place / "run/log").c_str(), 0755);
}

TEST(AbortedRun, EndsWithExitCodeThreeAndIsProven) {
  const TinyPlace place;
  place.sign_other("hot", "peak: 1e-2", "peak: 1e36");
  const std::string run = place / "hot-run", contract = place / "hot.json";
  const Outcome aborted = aftune(place.train({{"contract", contract}, {"--run", run}}));
  EXPECT_TRUE(refused(aborted, 3, {"aborted", "step "}));
  EXPECT_FALSE(std::filesystem::exists(run + "/model"));
  EXPECT_TRUE(done(aftune({"log", "verify", "--run", run, "--contract", contract})));
  EXPECT_TRUE(done(aftune({"store", "check", "--run", run, "--contract", contract})));
  for (const Arguments& how :
       {Arguments{"--all"}, Arguments{"--secret", place / "client.secret"}}) {
    Arguments audit{"audit", contract, "--run", run};
    audit.insert(audit.end(), how.begin(), how.end());
    const Outcome verdict = aftune(audit);
    EXPECT_EQ(verdict.exit, 3);
    EXPECT_EQ(verdict.out.rfind("INCONCLUSIVE: the run was aborted, and a replay proves", 0), 0U)
        << verdict.out;
    EXPECT_NE(verdict.out.find("aborted, proven"), std::string::npos);
  }
  EXPECT_TRUE(
      refused(aftune(place.train({{"contract", contract}, {"--run", run}, {"--resume", ""}})), 2,
              {"was aborted and cannot go on"}));
}

TEST(ActiveRun, IsNotTrainedTwice) {
  const TinyPlace place;
  const auto lock = FileLock::acquire(place / "run/lock");
  ASSERT_TRUE(lock);
  EXPECT_TRUE(
      refused(aftune(place.train({{"--resume", ""}})), 3, {"lock", "is a run active here?"}));
}

}  // namespace
}  // namespace aftune::program
