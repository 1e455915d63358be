// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/mirror.h"

#include <gtest/gtest.h>

#include "aftune/trace/finished_run_testing.h"
#include "aftune/trace/memory_folder_testing.h"

namespace aftune::trace {
namespace {

using testing::finished_job;
using testing::finished_root;
using testing::get;
using testing::MemoryFolder;
using testing::must;
using testing::put;
using testing::TempFolder;
using testing::test_engine;
using testing::TinyJob;

Result<TrainReport> train(const TinyJob& job, RemoteFolder& remote,
                          Existing existing = Existing::kRefuse) {
  TrainJob asked = job.job(job.run(), existing);
  asked.remote = &remote;
  return train_run(asked, test_engine());
}

/// What is copied of a run, as the disk has it.
std::map<std::string, std::string> copied(const RunFolder& run) {
  std::map<std::string, std::string> out;
  for (const auto& file : must(copied_files(run))) out[file.name] = get(run.root / file.name);
  return out;
}

/// The far files on a disk: the log holds, and everything that it names is whole.
void expect_whole_there(const TinyJob& job, const MemoryFolder& remote) {
  const TempFolder folder;
  const RunFolder run{folder / "run"};
  must(make_folders(run.store()));
  for (const auto& [name, bytes] : remote.files) {
    must(make_folders((run.root / name).parent_path()));
    put(run.root / name, bytes);
  }
  testing::expect_whole(job, run);
}

TEST(Mirror, HoldsTheRunWhenItIsClosed) {
  const TinyJob job;
  MemoryFolder remote;
  const auto done = must(train(job, remote));
  EXPECT_EQ(done.end, RunEnd::kClosed);
  EXPECT_EQ(job.log(job.run()).checkpoint.root, finished_root());
  for (const auto& [name, bytes] : copied(job.run())) EXPECT_EQ(remote.files[name], bytes) << name;
  expect_whole_there(job, remote);
  EXPECT_EQ(done.copied_files, remote.count("put "));
  EXPECT_GT(done.copied_bytes, 1000U);
}

TEST(Mirror, KeepsEverythingButTheCheckpointThatIsReplaced) {
  const TinyJob job;
  MemoryFolder remote;
  must(train(job, remote));
  EXPECT_EQ(std::count(remote.kept.begin(), remote.kept.end(), "log/checkpoint"), 0);
  EXPECT_EQ(remote.kept.size() + remote.count("put log/checkpoint") -
                remote.count("put log/checkpoints/"),
            remote.count("put "));
  const std::set<std::string> once(remote.kept.begin(), remote.kept.end());
  EXPECT_EQ(once.size(), remote.kept.size()) << "a file that never changes is put once";
}

TEST(Mirror, AtEachCheckpointThereEverythingItCoversIsThere) {
  const TinyJob job;
  MemoryFolder remote;
  std::size_t checked = 0;
  remote.fault = [&](const std::string& call) -> std::optional<Error> {
    // The call before this one may have been a checkpoint's.
    if (remote.calls.size() < 2) return std::nullopt;
    const std::string& before = remote.calls[remote.calls.size() - 2];
    if (before.starts_with("put log/checkpoint") && call != "list") {
      expect_whole_there(job, remote);
      ++checked;
    }
    return std::nullopt;
  };
  must(train(job, remote));
  EXPECT_GE(checked, 4U);
}

TEST(Mirror, AFolderThatFailsStopsTheRunAndAResumeGoesOn) {
  std::size_t whole = 0;
  {
    const TinyJob job;
    MemoryFolder remote;
    must(train(job, remote));
    whole = remote.calls.size();
  }
  for (std::size_t last = 0; last < whole; last += 23) {
    const TinyJob job;
    MemoryFolder remote;
    remote.fault = [&](const std::string&) -> std::optional<Error> {
      if (remote.calls.size() <= last) return std::nullopt;
      return Error{Code::kUnavailable, "no route"};
    };
    const auto done = train(job, remote);
    ASSERT_FALSE(done) << last;
    EXPECT_EQ(done.error().code, Code::kUnavailable);
    EXPECT_NE(done.error().what.find("no route"), std::string::npos) << done.error().what;
    remote.fault = nullptr;
    expect_whole_there(job, remote);
    must(train(job, remote, Existing::kResume));
    EXPECT_EQ(job.log(job.run()).checkpoint.root, finished_root()) << last;
    for (const auto& [name, bytes] : copied(job.run())) EXPECT_EQ(remote.files[name], bytes);
    expect_whole_there(job, remote);
  }
}

TEST(Mirror, AClosedRunIsCopiedByAResume) {
  const TinyJob job;
  must(job.train());
  MemoryFolder remote;
  EXPECT_EQ(must(train(job, remote, Existing::kResume)).end, RunEnd::kAlreadyClosed);
  expect_whole_there(job, remote);
  const std::size_t puts = remote.count("put ");
  must(train(job, remote, Existing::kResume));
  EXPECT_EQ(remote.count("put "), puts + 1) << "the latest checkpoint alone is put again";
}

TEST(Mirror, AnObjectThatRottedBeforeAResumeIsNotCopiedSo) {
  const TinyJob job;
  MemoryFolder remote;
  remote.fault = [&](const std::string& call) -> std::optional<Error> {
    if (call.find("store/") == std::string::npos || remote.count("put store/") < 9) {
      return std::nullopt;
    }
    return Error{Code::kUnavailable, "no route"};
  };
  ASSERT_FALSE(train(job, remote));
  remote.fault = nullptr;
  bool altered = false;
  for (const auto& file : must(copied_files(job.run(), "store"))) {
    if (altered || remote.files.contains(file.name)) continue;
    testing::flip_bit(job.run().root / file.name, file.size - 1);
    altered = true;
  }
  ASSERT_TRUE(altered);
  must(train(job, remote, Existing::kResume));
  expect_whole_there(job, remote);
}

TEST(Mirror, AFileOfAnotherSizeThereIsCopiedAgain) {
  const TinyJob job;
  MemoryFolder remote;
  must(train(job, remote));
  remote.files["data.jsonl"].pop_back();
  must(train(job, remote, Existing::kResume));
  EXPECT_EQ(remote.files["data.jsonl"], get(job.run().data()));
}

TEST(Mirror, ThePlaceOfAnotherRunIsRefusedAndStaysAsItIs) {
  const auto refused = [](MemoryFolder& remote, Existing existing, const std::string& why) {
    const TinyJob job;
    if (existing == Existing::kResume) must(job.train());
    const auto before = remote.files;
    const auto done = train(job, remote, existing);
    ASSERT_FALSE(done) << why;
    EXPECT_EQ(done.error().code, Code::kInvalidInput);
    EXPECT_NE(done.error().what.find(why), std::string::npos) << done.error().what;
    EXPECT_EQ(remote.files, before);
  };
  MemoryFolder other;
  other.files["contract.json"] = "{}";
  refused(other, Existing::kResume, "another contract");
  other.files["contract.json"] = get(finished_job().run().contract());
  other.files["contract.json"].back() ^= 1;
  refused(other, Existing::kResume, "another contract");
  MemoryFolder headless;
  headless.files["log/checkpoint"] = "x";
  refused(headless, Existing::kRefuse, "without a contract");
  MemoryFolder same;
  same.files["contract.json"] = get(finished_job().run().contract());
  refused(same, Existing::kRefuse, "--resume");
  same.files["log/checkpoints/9999"] = "x";
  refused(same, Existing::kResume, "9999");
}

TEST(Mirror, ForeignFilesBesideTheRunAreLeftAlone) {
  const TinyJob job;
  MemoryFolder remote;
  remote.files["notes.txt"] = "x";
  must(train(job, remote));
  EXPECT_EQ(remote.files["notes.txt"], "x");
}

}  // namespace
}  // namespace aftune::trace
