// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/trainer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aftune/trace/finished_run_testing.h"

namespace aftune::trace {
namespace {

using testing::expect_whole;
using testing::files_of;
using testing::finished_job;
using testing::finished_root;
using testing::get;
using testing::must;
using testing::RunCopy;
using testing::test_engine;
using testing::TinyJob;

TEST(TrainRun, EndsWithAClosedLogAndTheDeliveredModel) {
  const TinyJob& job = finished_job();
  const auto log = job.log(job.run());
  const Timeline timeline(job.contract());
  ASSERT_EQ(log.entries.size(), timeline.entry_count());
  for (std::uint64_t i = 0; i < log.entries.size(); ++i) {
    EXPECT_TRUE(decode_entry(log.entries[i], i, timeline.at(i)));
  }
  std::vector<std::uint64_t> sizes;
  for (const auto& checkpoint : log.history) sizes.push_back(checkpoint.size);
  EXPECT_EQ(sizes, (std::vector<std::uint64_t>{3, 7, 11, 14, 15}));
  const auto openings = must(Openings::open(job.run(), job.contract(), log.entries));
  for (const BoundFile& file : must(openings.close_list()).files) {
    EXPECT_TRUE(check_bound_file(file, job.run().delivered())) << file.path;
  }
  EXPECT_TRUE(model::open_model_folder(job.run().delivered()));
  const std::string metrics = get(job.run().metrics());
  EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 5);
  expect_whole(job, job.run());
}

TEST(TrainRun, RepeatsInEveryBit) {
  const TinyJob again;
  ASSERT_EQ(must(again.train()).end, RunEnd::kClosed);
  EXPECT_EQ(again.log(again.run()).checkpoint_note,
            finished_job().log(finished_job().run()).checkpoint_note);
  EXPECT_EQ(files_of(again.run().store()), files_of(finished_job().run().store()));
}

TEST(TrainRun, APrivateBaseKeepsItsRootSaltForTheVerifier) {
  const TinyJob job([](Contract& c) { c.base_public = false; });
  ASSERT_EQ(must(job.train()).end, RunEnd::kClosed);
  EXPECT_EQ(get(job.run().root_salt()),
            SaltSource(job.provider, job.contract().run_id).root_salt().hex() + "\n");
}

TEST(TrainRun, WithoutRecordingGivesTheSameModelAndNoEvidence) {
  const TinyJob& job = finished_job();
  const RunFolder run{job.folder / "plain"};
  TrainJob plain = job.job(run);
  plain.recording = Recording::kOff;
  ASSERT_EQ(must(train_run(plain, test_engine())).end, RunEnd::kClosed);
  EXPECT_EQ(files_of(run.delivered()), files_of(job.run().delivered()));
  EXPECT_FALSE(std::filesystem::exists(run.log()));
  const auto again = train_run(plain, test_engine());
  ASSERT_FALSE(again) << "a folder that holds something is not written to";
  EXPECT_EQ(again.error().code, Code::kInvalidInput);
}

TEST(TrainRun, TellsEachStep) {
  const TinyJob job;
  std::vector<std::uint64_t> steps;
  TrainJob watched = job.job(job.run());
  watched.on_step = [&](const StepProgress& p) {
    steps.push_back(p.step);
    EXPECT_EQ(p.steps, 5U);
    EXPECT_EQ(p.tokens, 18U);
    expect_whole(job, job.run());  // whatever is signed by now has its objects
  };
  const TrainReport report = must(train_run(watched, test_engine()));
  EXPECT_EQ(steps, (std::vector<std::uint64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(report.steps_run, 5U);
  ASSERT_TRUE(report.first_loss && report.last_loss);
}

TEST(TrainRun, AClosedRunIsLeftAsItIs) {
  const RunCopy copy;
  const auto before = files_of(copy.run.root);
  const TrainReport report =
      must(train_run(copy.job.job(copy.run, Existing::kResume), test_engine()));
  EXPECT_EQ(report.end, RunEnd::kAlreadyClosed);
  EXPECT_EQ(files_of(copy.run.root), before);
}

TEST(TrainRun, AClosedRunWithoutItsModelIsNotComplete) {
  const RunCopy copy;
  const Path weights = copy.run.delivered() / "model.safetensors";
  const std::string whole = get(weights);
  const auto refused_as = [&](Code code, const std::string& text) {
    const auto done = train_run(copy.job.job(copy.run, Existing::kResume), test_engine());
    return !done && done.error().code == code &&
           done.error().what.find("is closed, but not whole") != std::string::npos &&
           done.error().what.find(text) != std::string::npos;
  };
  testing::put(weights, whole.substr(1));
  EXPECT_TRUE(refused_as(Code::kCorrupt, "model.safetensors"));
  std::string other = whole;
  other.back() = static_cast<char>(other.back() ^ 1);
  testing::put(weights, other);
  EXPECT_TRUE(refused_as(Code::kCorrupt, "SHA-256"));
  testing::put(weights, whole);
  std::filesystem::remove(copy.run.delivered() / "tokenizer.json");
  EXPECT_TRUE(refused_as(Code::kNotFound, "tokenizer.json"));
  std::filesystem::remove_all(copy.run.delivered());
  EXPECT_TRUE(refused_as(Code::kNotFound, "model"));
}

TEST(TrainRun, OtherKeysModelsAndDataAreRefusedBeforeAnythingIsMade) {
  const TinyJob job;
  const TinyJob other([](Contract& c) { c.architecture.intermediate_size = 16; });
  const auto stranger = testing::test_key(9);
  testing::put(job.folder / "other.jsonl", get(job.data()) + "{}\n");
  const auto code_with = [&](const crypto::PrivateKey& key, const Path& model, const Path& data) {
    const TrainJob wrong{job.signed_contract(), job.run(),      key, model, data,
                         Existing::kRefuse,     Recording::kOn, {}};
    const auto done = train_run(wrong, test_engine());
    return done ? Code::kUnavailable : done.error().code;
  };
  EXPECT_EQ(code_with(stranger, job.model(), job.data()), Code::kInvalidInput);
  EXPECT_EQ(code_with(job.provider, other.model(), job.data()), Code::kCorrupt);
  EXPECT_EQ(code_with(job.provider, job.model(), job.folder / "other.jsonl"), Code::kCorrupt);
  EXPECT_EQ(code_with(job.provider, job.folder / "none", job.data()), Code::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(job.run().root));
}

TEST(TrainRun, RowsThatALaterStepCannotUseAreFoundBeforeTheFirst) {
  const TinyJob malformed({}, std::string(testing::kTinyRows) + "{\"prompt\":1}\n");
  const auto done = malformed.train();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().what.find("row 7: member \"prompt\" is no string"), std::string::npos)
      << done.error().what;
  EXPECT_FALSE(std::filesystem::exists(malformed.run().root));
}

TEST(TrainRun, DeliversTheContractsFilesOnly) {
  const TinyJob job;
  testing::put(job.model() / "generation_config.json", "{}");  // the contract does not bind it
  must(job.train());
  EXPECT_EQ(files_of(job.run().delivered()), files_of(finished_job().run().delivered()));
}

TEST(TrainRun, OneTrainerAtATime) {
  const RunCopy copy;
  const auto lock = must(FileLock::acquire(copy.run.lock()));
  const auto done = train_run(copy.job.job(copy.run, Existing::kResume), test_engine());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_NE(done.error().what.find("is a run active here?"), std::string::npos);
}

/// Trains in another process that ends without any clean-up after `step`.
void train_and_die(const TinyJob& job, std::uint64_t step) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    TrainJob dying = job.job(job.run(), Existing::kResume);
    dying.on_step = [step](const StepProgress& p) {
      if (p.step == step) ::_exit(7);
    };
    (void)train_run(dying, test_engine());
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 7);
}

TEST(TrainRun, KilledAfterAnyStepsAndResumedGivesTheSameRoot) {
  for (std::uint64_t step = 0; step < 5; ++step) {
    const TinyJob job;
    train_and_die(job, step);
    expect_whole(job, job.run());
    if (step > 0) train_and_die(job, step);  // and once more at the same place
    const TrainReport report = must(job.train(Existing::kResume));
    EXPECT_EQ(report.end, RunEnd::kClosed);
    EXPECT_EQ(job.log(job.run()).checkpoint.root, finished_root()) << step;
    EXPECT_EQ(files_of(job.run().delivered()), files_of(finished_job().run().delivered()));
    const std::string metrics = get(job.run().metrics());
    EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 5) << step;
    expect_whole(job, job.run());
  }
}

TEST(TrainRun, CutOffAtAnyEntryAndResumedGivesTheSameRoot) {
  const std::size_t count = RunCopy().entries.size();
  for (std::size_t size = 1; size < count; ++size) {
    RunCopy copy;
    copy.entries.resize(size);
    copy.write_log();
    const TrainReport report =
        must(train_run(copy.job.job(copy.run, Existing::kResume), test_engine()));
    EXPECT_EQ(report.end, RunEnd::kClosed);
    EXPECT_EQ(copy.job.log(copy.run).checkpoint.root, finished_root()) << size;
  }
}

TEST(TrainRun, KilledBetweenDeliveryAndCloseKeepsTheDeliveredFiles) {
  RunCopy copy;
  copy.entries.pop_back();
  copy.write_log();
  const auto time = std::filesystem::last_write_time(copy.run.delivered() / "model.safetensors");
  must(train_run(copy.job.job(copy.run, Existing::kResume), test_engine()));
  EXPECT_EQ(copy.job.log(copy.run).checkpoint.root, finished_root());
  EXPECT_EQ(std::filesystem::last_write_time(copy.run.delivered() / "model.safetensors"), time);
}

TEST(TrainRun, AStrangersModelFolderEndsTheRunBeforeTheClose) {
  RunCopy copy;
  copy.entries.pop_back();
  copy.write_log();
  const Path weights = copy.run.delivered() / "model.safetensors";
  testing::put(weights, "mine");
  const auto done = train_run(copy.job.job(copy.run, Existing::kResume), test_engine());
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().what.find("exists and is not this run's model"), std::string::npos);
  EXPECT_EQ(get(weights), "mine");
  EXPECT_EQ(copy.job.log(copy.run).entries.size(), 14U);
}

TEST(TrainRun, ADamagedNewestStateMeansAnOlderOneServes) {
  RunCopy copy;
  copy.entries.resize(copy.timeline().position_of_step(4) + 1);
  copy.write_log();
  const auto list = must(copy.openings().state_list(1, 2));
  std::filesystem::remove(copy.object(list.digests[2]));
  const TrainReport report =
      must(train_run(copy.job.job(copy.run, Existing::kResume), test_engine()));
  EXPECT_EQ(report.resumed_from, 2U);
  EXPECT_EQ(copy.job.log(copy.run).checkpoint.root, finished_root());
  expect_whole(copy.job, copy.run);
}

TEST(TrainRun, ALogThatTheMachineCannotRepeatEndsAsAFault) {
  RunCopy copy;
  const Timeline timeline = copy.timeline();
  const std::uint64_t position = timeline.position_of_step(1);
  copy.entries.resize(position + 1);
  copy.entries[position] =
      encode_entry(position, timeline.at(position), testing::digest_of("another machine"));
  copy.write_log();
  const TrainReport report =
      must(train_run(copy.job.job(copy.run, Existing::kResume), test_engine()));
  EXPECT_EQ(report.end, RunEnd::kAborted);
  const auto entries = copy.job.log(copy.run).entries;
  ASSERT_EQ(entries.size(), position + 2);
  EXPECT_EQ(must(decode_abort(entries.back(), position + 1)).cause, "fault");
}

TEST(TrainRun, LeavingTheFiniteNumbersEndsInAnAbortThatStays) {
  const TinyJob job([](Contract& c) {
    c.training.schedule = {train::ScheduleKind::kConstant, 0x1p120, 0, 0};
  });
  const TrainReport report = must(job.train());
  ASSERT_EQ(report.end, RunEnd::kAborted);
  const auto entries = job.log(job.run()).entries;
  const AbortEntry abort = must(decode_abort(entries.back(), entries.size() - 1));
  EXPECT_EQ(abort.cause, "non-finite");
  EXPECT_EQ(Timeline(job.contract()).position_of_step(abort.step), entries.size() - 1);
  const auto openings = must(Openings::open(job.run(), job.contract(), entries));
  EXPECT_EQ(must(openings.abort_list(abort.list)).reason, report.abort_reason);
  EXPECT_FALSE(std::filesystem::exists(job.run().delivered()));
  expect_whole(job, job.run());
  const auto before = files_of(job.run().root);
  const auto again = job.train(Existing::kResume);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kInvalidInput);
  EXPECT_NE(again.error().what.find("was aborted and cannot go on"), std::string::npos);
  EXPECT_EQ(files_of(job.run().root), before);
}

}  // namespace
}  // namespace aftune::trace
