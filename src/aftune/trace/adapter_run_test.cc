// SPDX-License-Identifier: Apache-2.0
// Runs that train adapters: what is trained, stored, delivered, and where they start.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "aftune/model/adapter_folder.h"
#include "aftune/trace/adapter_start.h"
#include "aftune/trace/finished_run_testing.h"

namespace aftune::trace {
namespace {

using testing::expect_whole;
using testing::files_of;
using testing::must;
using testing::TempFolder;
using testing::test_engine;
using testing::TinyJob;

void with_adapters(Contract& contract) {
  contract.adapter =
      AdapterSpec{{2, 4, 0.25, false, {"down_proj", "q_proj"}, {"norm"}}, std::nullopt};
}

const TinyJob& lora_job() {
  static const TinyJob job(with_adapters);
  static const bool closed = must(job.train()).end == RunEnd::kClosed;
  AFTUNE_CHECK(closed, "the tiny run did not close");
  return job;
}

Openings openings_of(const TinyJob& job, const std::vector<std::string>& entries) {
  return must(Openings::open(job.run(), job.contract(), entries));
}

TEST(AdapterRun, StatesAndSquaresHoldWhatIsTrainedAlone) {
  const TinyJob& job = lora_job();
  const auto entries = job.log(job.run()).entries;
  const Openings openings = openings_of(job, entries);
  std::size_t tensors = 0;
  for (std::uint32_t block = 0; block < 2; ++block) {
    EXPECT_EQ(must(openings.state_list(block, 1)).digests.size(),
              3 * job.contract().trained(block).size());
    tensors += job.contract().trained(block).size();
  }
  EXPECT_EQ(tensors, 3U * 4 + 1);
  EXPECT_EQ(must(openings.step_list(0)).squares.size(), tensors);
  expect_whole(job, job.run());
  // No frozen tensor is an object of the store.
  const Store store = must(Store::open(job.run().store(), Store::Open::kExisting));
  const auto base = must(model::open_model_folder(job.model()));
  for (const auto& [name, tensor] : base.parameters.tensors()) {
    if (name == "model.norm.weight") continue;
    EXPECT_FALSE(store.has(crypto::blake3(tensor.bytes))) << name;
  }
}

TEST(AdapterRun, FirstStateIsTheAgreedOneBesideTheBase) {
  const TinyJob& job = lora_job();
  const auto entries = job.log(job.run()).entries;
  const train::BlockState first = must(openings_of(job, entries).state(0, 0));
  const std::string q = "base_model.model.model.layers.0.self_attn.q_proj.";
  const TensorSpec a{q + "lora_A.weight", Dtype::kF32, {2, 8}};
  const Tensor expected = model::first_adapter(a, job.contract().adapter_key());
  const Tensor& got = first.parameters.find(a.name)->second;
  EXPECT_TRUE(std::equal(got.bytes().begin(), got.bytes().end(), expected.bytes().begin()));
  for (const float value : first.parameters.find(q + "lora_B.weight")->second.f32()) {
    EXPECT_EQ(value, 0.0F);
  }
  ASSERT_NE(first.frozen, nullptr);
  EXPECT_TRUE(first.frozen->contains("model.layers.0.self_attn.q_proj.weight"));
  EXPECT_FALSE(first.frozen->contains("model.layers.2.self_attn.q_proj.weight"));
  EXPECT_FALSE(first.frozen->contains("model.norm.weight"));
  for (const auto& [name, tensor] : *first.frozen) EXPECT_FALSE(first.parameters.contains(name));
}

TEST(AdapterRun, TrainsTheAdaptersAndTheSavedModule) {
  const TinyJob& job = lora_job();
  const auto adapter =
      must(model::open_adapter_folder(job.run().delivered(), job.contract().architecture));
  EXPECT_EQ(adapter.lora, job.contract().adapter->lora);
  const auto entries = job.log(job.run()).entries;
  for (std::uint32_t block = 0; block < 2; ++block) {
    const train::BlockState first = must(openings_of(job, entries).state(block, 0));
    for (const auto& [name, tensor] : first.parameters) {
      const Tensor& last = adapter.tensors.find(name)->second;
      EXPECT_FALSE(std::equal(last.bytes().begin(), last.bytes().end(), tensor.bytes().begin()))
          << name;
    }
  }
}

TEST(AdapterRun, DeliversTwoFilesThatContractAndStatesImply) {
  const TinyJob& job = lora_job();
  const auto files = files_of(job.run().delivered());
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files.at("adapter_config.json"),
            model::adapter_config(job.contract().adapter->lora, job.contract().architecture));
  const auto entries = job.log(job.run()).entries;
  const CloseList close = must(openings_of(job, entries).close_list());
  ASSERT_EQ(close.files.size(), 2U);
  for (const BoundFile& file : close.files) {
    EXPECT_TRUE(check_bound_file(file, job.run().delivered())) << file.path;
  }
  const auto adapter =
      must(model::open_adapter_folder(job.run().delivered(), job.contract().architecture));
  std::map<std::string, Digest, std::less<>> digests;
  for (const auto& [name, tensor] : adapter.tensors) digests[name] = crypto::blake3(tensor.bytes());
  EXPECT_EQ(close.model_root, adapter_root(digests, job.contract(), std::nullopt));
}

TEST(AdapterRun, GridAndIntervalsChangeNoBit) {
  const auto expected = files_of(lora_job().run().delivered());
  for (const GridSpec& grid : {GridSpec{1, 1, 2, 2}, GridSpec{3, 5, 1, 1}}) {
    const TinyJob job([&](Contract& c) {
      with_adapters(c);
      c.grid = grid;
      c.audit.blocks = 1;
    });
    ASSERT_EQ(must(job.train()).end, RunEnd::kClosed);
    EXPECT_EQ(files_of(job.run().delivered()), expected);
  }
}

TEST(AdapterRun, APrivateBaseIsOpenedWithItsSalt) {
  const TinyJob job([](Contract& c) {
    with_adapters(c);
    c.base_public = false;
  });
  ASSERT_EQ(must(job.train()).end, RunEnd::kClosed);
  const auto entries = job.log(job.run()).entries;
  EXPECT_TRUE(openings_of(job, entries).state(1, 2));
  std::filesystem::remove(job.run().root_salt());
  EXPECT_FALSE(openings_of(job, entries).state(1, 2));
}

TEST(AdapterRun, AnotherBaseIsRefused) {
  const TinyJob job(with_adapters);
  testing::flip_bit(job.model() / "model.safetensors",
                    must(aftune::file_size(job.model() / "model.safetensors")) - 1);
  const auto done = job.train();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kCorrupt);
  EXPECT_NE(done.error().what.find("the contract has"), std::string::npos) << done.error().what;
}

TEST(AdapterRun, ABaseOfAnotherArchitectureIsRefused) {
  const TinyJob job(with_adapters);
  ASSERT_TRUE(AdapterStart::open(job.contract(), job.model(), {}, std::nullopt));
  Contract other = job.contract();
  other.architecture.rms_norm_eps *= 2;  // of no tensor, so in no root
  const auto start = AdapterStart::open(other, job.model(), {}, std::nullopt);
  ASSERT_FALSE(start);
  EXPECT_NE(start.error().what.find("another architecture"), std::string::npos);
}

TEST(AdapterRun, ABaseThatChangesWhileItIsReadIsNoted) {
  const TinyJob job(with_adapters);
  const AdapterStart start =
      must(AdapterStart::open(job.contract(), job.model(), {}, std::nullopt));
  {
    std::fstream file(job.model() / "model.safetensors",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('x');
  }
  bool noted = false;
  for (std::uint32_t block = 0; block < 2; ++block) {
    const auto frozen = start.frozen(block);
    const auto first = start.first(block);
    noted = noted || (!frozen && frozen.error().code == Code::kCorrupt);
    noted = noted || (!first && first.error().code == Code::kCorrupt);
  }
  EXPECT_TRUE(noted);
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

TEST(AdapterRun, KilledAndResumedIsTheUninterruptedRun) {
  const auto root = lora_job().log(lora_job().run()).checkpoint.root;
  for (const std::uint64_t step : {0U, 1U, 3U, 4U}) {
    const TinyJob job(with_adapters);
    train_and_die(job, step);
    ASSERT_EQ(must(job.train(Existing::kResume)).end, RunEnd::kClosed);
    EXPECT_EQ(job.log(job.run()).checkpoint.root, root) << step;
  }
}

/// A job that goes on from the adapter that another one delivered.
struct SecondJob {
  SecondJob()
      : job([](Contract& c) {
          with_adapters(c);
          const auto adapter =
              must(model::open_adapter_folder(lora_job().run().delivered(), c.architecture));
          std::map<std::string, Digest, std::less<>> digests;
          for (const auto& [name, tensor] : adapter.tensors) {
            digests[name] = crypto::blake3(tensor.bytes());
          }
          c.adapter->initial = adapter_root(digests, c, std::nullopt);
        }) {}

  [[nodiscard]] Result<TrainReport> train(const Path& adapter) const {
    TrainJob with = job.job(job.run());
    with.adapter = adapter;
    return train_run(with, test_engine());
  }
  TinyJob job;
};

TEST(AdapterRun, GoesOnFromTheFolderThatTheContractBinds) {
  const SecondJob second;
  ASSERT_EQ(must(second.train(lora_job().run().delivered())).end, RunEnd::kClosed);
  EXPECT_EQ(files_of(second.job.run().adapter()), files_of(lora_job().run().delivered()));
  const auto entries = second.job.log(second.job.run()).entries;
  const train::BlockState first = must(openings_of(second.job, entries).state(1, 0));
  const auto given = must(
      model::open_adapter_folder(lora_job().run().delivered(), second.job.contract().architecture));
  for (const auto& [name, tensor] : first.parameters) {
    const Tensor& from = given.tensors.find(name)->second;
    EXPECT_TRUE(std::equal(tensor.bytes().begin(), tensor.bytes().end(), from.bytes().begin()));
  }
}

TEST(AdapterRun, AnotherFirstAdapterIsRefused) {
  const SecondJob second;
  const TempFolder temp;
  auto other = must(
      model::open_adapter_folder(lora_job().run().delivered(), second.job.contract().architecture));
  other.tensors.begin()->second.f32()[0] += 1;
  must(model::write_adapter_folder(temp / "other", other.lora, second.job.contract().architecture,
                                   other.tensors));
  const auto done = second.train(temp / "other");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kCorrupt);
  EXPECT_NE(done.error().what.find("has root"), std::string::npos) << done.error().what;
  EXPECT_FALSE(second.train({})) << "no folder";
  // One of fewer modules.
  other.lora.target_modules = {"q_proj"};
  std::erase_if(other.tensors,
                [](const auto& one) { return one.first.find("down_proj") != std::string::npos; });
  must(model::write_adapter_folder(temp / "smaller", other.lora, second.job.contract().architecture,
                                   other.tensors));
  const auto smaller = second.train(temp / "smaller");
  ASSERT_FALSE(smaller);
  EXPECT_NE(smaller.error().what.find("other tensors"), std::string::npos) << smaller.error().what;
}

}  // namespace
}  // namespace aftune::trace
