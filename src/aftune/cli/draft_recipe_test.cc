// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/draft_recipe.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::cli {
namespace {

using trace::testing::must;
using trace::testing::put;
using train::Decayed;
using train::OptimizerKind;
using train::ScheduleKind;

constexpr std::uint64_t kRows = 50;
constexpr const char* kGroups =
    "batch: {samples: 4}\nsteps: 10\noptimizer: {kind: adamw}\n"
    "schedule: {kind: constant, peak: 1}\n";

class DraftRecipeTest : public ::testing::Test {
 protected:
  Result<Recipe> draft(const std::string& text) {
    put(folder_ / "job.yaml", text);
    auto job = must(JobReader::load(folder_ / "job.yaml"));
    notes_.clear();
    auto made = draft_recipe(job, kRows, notes_);
    if (!made) return made;
    if (Status read = job.finish(); !read) return read.error();
    return made;
  }
  std::string error(const std::string& text) {
    const auto made = draft(text);
    if (made) return "no error";
    EXPECT_EQ(made.error().code, Code::kInvalidInput);
    const std::string path = folder_.path().string() + "/";
    return made.error().what.rfind(path, 0) == 0 ? made.error().what.substr(path.size())
                                                 : made.error().what;
  }
  [[nodiscard]] bool noted(const std::string& line) const {
    return std::find(notes_.begin(), notes_.end(), line) != notes_.end();
  }
  const trace::testing::TempFolder folder_;
  std::vector<std::string> notes_;
};

TEST_F(DraftRecipeTest, OneNameBringsTrainersDefaultsAndTellsThem) {
  const Recipe made = must(draft("learning_rate: 2e-4\n"));
  EXPECT_EQ(made.batch, (train::BatchSpec{8, 8}));
  EXPECT_EQ(made.steps, 18U) << "3 epochs of 6 steps, the rest of each dropped";
  EXPECT_EQ(made.training.optimizer,
            (train::OptimizerSpec{OptimizerKind::kAdamW, 0.9, 0.999, 1e-8, 0, 0}));
  EXPECT_EQ(made.training.schedule, (train::ScheduleSpec{ScheduleKind::kLinear, 2e-4, 0, 18}));
  EXPECT_EQ(made.training.clip, train::ClipSpec{1});
  for (const char* line :
       {"per_device_train_batch_size: 8", "gradient_accumulation_steps: 1", "num_train_epochs: 3",
        "steps: 18 (3 epochs of 50 samples, 8 a step)", "optim: adamw_torch", "adam_beta2: 0.999",
        "lr_scheduler_type: linear", "max_grad_norm: 1"}) {
    EXPECT_TRUE(noted(line)) << line;
  }
  EXPECT_FALSE(noted("learning_rate: 0.0002"));
}

TEST_F(DraftRecipeTest, EachNameGivesItsMember) {
  const Recipe made = must(
      draft("per_device_train_batch_size: 2\ngradient_accumulation_steps: 3\nmax_steps: 40\n"
            "optim: adamw_torch_fused\nadam_beta1: 0.5\nadam_beta2: 0.75\nadam_epsilon: 0.125\n"
            "weight_decay: 0.25\nlearning_rate: 0.5\nlr_scheduler_type: cosine\n"
            "warmup_ratio: 0.06\nmax_grad_norm: 0.3\ndataloader_drop_last: false\n"));
  EXPECT_EQ(made.batch, (train::BatchSpec{6, 2}));
  EXPECT_EQ(made.steps, 40U);
  EXPECT_EQ(made.training.optimizer, (train::OptimizerSpec{OptimizerKind::kAdamW, 0.5, 0.75, 0.125,
                                                           0, 0.25, Decayed::kWeights}));
  EXPECT_EQ(made.training.schedule, (train::ScheduleSpec{ScheduleKind::kWarmupCosine, 0.5, 3, 40}))
      << "2.4 steps of warm-up are 3";
  EXPECT_EQ(made.training.clip.max_norm, 0.3);
  EXPECT_FALSE(made.order.drop_last);
  EXPECT_EQ(notes_,
            (std::vector<std::string>{"order.shuffle: sha256", "optimizer.decayed: weights"}));
}

TEST_F(DraftRecipeTest, EpochsCountEveryRowWhereNoneIsDropped) {
  EXPECT_EQ(must(draft("num_train_epochs: 2\ndataloader_drop_last: false\n")).steps, 13U);
  EXPECT_EQ(must(draft("num_train_epochs: 2\n")).steps, 12U);
  EXPECT_EQ(must(draft("num_train_epochs: 0.5\n")).steps, 3U);
  EXPECT_EQ(must(draft("num_train_epochs: 0.01\n")).steps, 1U);
}

TEST_F(DraftRecipeTest, SchedulesHaveTheMembersOfTheirKind) {
  const auto schedule = [&](const std::string& lines) {
    return must(draft("max_steps: 9\nlearning_rate: 1\n" + lines)).training.schedule;
  };
  EXPECT_EQ(schedule("lr_scheduler_type: constant\n"),
            (train::ScheduleSpec{ScheduleKind::kConstant, 1, 0, 0}));
  EXPECT_EQ(schedule("lr_scheduler_type: constant_with_warmup\nwarmup_steps: 4\n"),
            (train::ScheduleSpec{ScheduleKind::kConstantWithWarmup, 1, 4, 0}));
  EXPECT_EQ(schedule("lr_scheduler_type: linear\nwarmup_ratio: 1\n"),
            (train::ScheduleSpec{ScheduleKind::kLinear, 1, 9, 9}));
}

TEST_F(DraftRecipeTest, GroupsOfThisToolStandBesideTheNames) {
  const Recipe made =
      must(draft("optimizer: {kind: sgd, momentum: 0.9, nesterov: true, weight_decay: 0.1,\n"
                 "            decayed: weights}\nmax_steps: 7\norder: {shuffle: none}\n"));
  EXPECT_EQ(made.training.optimizer, (train::OptimizerSpec{OptimizerKind::kSgd, 0, 0, 0, 0.9, 0.1,
                                                           Decayed::kWeights, true}));
  EXPECT_EQ(made.order, (text::OrderRule{"none", true}));
  EXPECT_EQ(made.training.schedule.kind, ScheduleKind::kLinear);
}

TEST_F(DraftRecipeTest, WithoutAnyNameNothingIsTrainers) {
  const Recipe made = must(draft(kGroups));
  EXPECT_EQ(made.training.clip.max_norm, 0);
  for (const char* line :
       {"order.shuffle: sha256", "order.drop_last: true", "batch.micro_batch: all samples at once",
        "optimizer.beta1: 0.9", "optimizer.epsilon: 1e-08", "optimizer.weight_decay: 0",
        "clip.max_norm: 0"}) {
    EXPECT_TRUE(noted(line)) << line;
  }
  EXPECT_FALSE(noted("max_grad_norm: 1"));
  EXPECT_EQ(error("steps: 3\n"), "job.yaml:1: batch is missing, needs a map");
  const Recipe linear =
      must(draft("batch: {samples: 4}\nsteps: 10\noptimizer: {kind: adamw}\n"
                 "schedule: {kind: linear, peak: 1, warmup_ratio: 0.1, total_steps: 12}\n"));
  EXPECT_EQ(linear.training.schedule, (train::ScheduleSpec{ScheduleKind::kLinear, 1, 1, 12}));
}

TEST_F(DraftRecipeTest, WrongNamesAndValuesAreNamedWithTheirLine) {
  const std::pair<const char*, const char*> lies[] = {
      {"max_steps: 3\nsteps: 4\n", "job.yaml:1: max_steps stands beside steps: one says it"},
      {"max_steps: 3\nschedule: {}\nlearning_rate: 1\n",
       "job.yaml:3: learning_rate stands beside schedule: one says it"},
      {"max_steps: 3\nnum_train_epochs: 1\n",
       "job.yaml:2: num_train_epochs stands beside max_steps: one says it"},
      {"max_steps: 3\nwarmup_steps: 1\nwarmup_ratio: 0.1\n",
       "job.yaml:3: warmup_ratio stands beside warmup_steps: one says it"},
      {"max_steps: 3\ndataloader_drop_last: true\norder: {drop_last: true}\n",
       "job.yaml:2: dataloader_drop_last stands beside order.drop_last: one says it"},
      {"max_steps: 3\nseed: 42\n",
       "job.yaml:2: seed is not for the job: both sides make the seed (nonces)"},
      {"max_steps: 3\nbf16: true\n",
       "job.yaml:2: bf16 is not for the job: the arithmetic is exact, in fp32"},
      {"max_steps: -1\n", "job.yaml:1: max_steps is \"-1\", needs an integer from 1 to 16777216"},
      {"num_train_epochs: 0\n",
       "job.yaml:1: num_train_epochs: 0 epochs of 50 samples, 8 a step, are 0 steps, a run has 1 "
       "to 16777216"},
      {"num_train_epochs: 1e9\n", "job.yaml:1: num_train_epochs: 1e+09 epochs"},
      {"max_steps: 3\nper_device_train_batch_size: 0\n",
       "job.yaml:2: per_device_train_batch_size is \"0\""},
      {"max_steps: 3\noptim: lion\n",
       "job.yaml:2: optim is \"lion\", known: adamw_torch, adamw_torch_fused, sgd"},
      {"max_steps: 3\noptim: sgd\nadam_beta1: 0.5\n", "job.yaml:3: adam_beta1 is unknown"},
      {"max_steps: 3\nlr_scheduler_type: polynomial\n",
       "job.yaml:2: lr_scheduler_type is \"polynomial\", known: constant, constant_with_warmup, "
       "cosine, linear"},
      {"max_steps: 3\nwarmup_ratio: 1.5\n", "job.yaml:2: warmup_ratio is 1.5, needs 0 to 1"},
      {"max_steps: 3\noptimizer: {kind: sgd, decayed: some}\n",
       "job.yaml:2: optimizer.decayed is \"some\", known: all, weights"},
      {"max_steps: 3\noptimizer: {kind: adamw, nesterov: true}\n",
       "job.yaml:2: optimizer.nesterov is unknown"},
      {"max_steps: 3\nlearning_rates: 1\n", "job.yaml:2: learning_rates is unknown"},
  };
  for (const auto& [job, says] : lies) {
    EXPECT_EQ(error(job).rfind(says, 0), 0U) << "expected " << says << "\ngot      " << error(job);
  }
}

}  // namespace
}  // namespace aftune::cli
