// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/run_setup.h"

#include <gtest/gtest.h>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using testing::files_of;
using testing::get;
using testing::must;
using testing::put;
using testing::TinyJob;

Status prepare(const TinyJob& job, Existing existing = Existing::kRefuse) {
  return prepare_run_folder(job.signed_contract(), job.run(), job.model(), job.data(), existing);
}

TEST(PlaceFile, LinksAndNeverReplaces) {
  const testing::TempFolder folder;
  put(folder / "a", "one");
  put(folder / "b", "two");
  must(place_file(folder / "a", folder / "c"));
  EXPECT_EQ(get(folder / "c"), "one");
  EXPECT_EQ(std::filesystem::hard_link_count(folder / "c"), 2U);
  const Status again = place_file(folder / "b", folder / "c");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kInvalidInput);
  EXPECT_EQ(get(folder / "c"), "one");
  EXPECT_EQ(place_file(folder / "none", folder / "d").error().code, Code::kNotFound);
}

TEST(PlaceFile, FollowsALinkToTheFileItself) {
  const testing::TempFolder folder;
  put(folder / "a", "one");
  std::filesystem::create_symlink("a", folder / "link");
  must(place_file(folder / "link", folder / "b"));
  EXPECT_TRUE(std::filesystem::symlink_status(folder / "b").type() ==
              std::filesystem::file_type::regular);
}

TEST(PlaceFile, CopiesToAnotherFileSystem) {
  const testing::TempFolder folder;
  const Path other = std::filesystem::temp_directory_path() / "aftune-place-file-test";
  put(folder / "a", "one");
  std::filesystem::remove(other);
  must(place_file(folder / "a", other));
  EXPECT_EQ(get(other), "one");
  std::filesystem::remove(other);
}

TEST(PrepareRunFolder, HoldsContractBaseAndData) {
  const TinyJob job;
  must(prepare(job));
  EXPECT_EQ(get(job.run().contract()), job.signed_contract().envelope);
  EXPECT_EQ(files_of(job.run().base()), files_of(job.model()));
  EXPECT_EQ(get(job.run().data()), get(job.data()));
}

TEST(PrepareRunFolder, TakesTheContractsFilesOnly) {
  const TinyJob job;
  put(job.model() / "generation_config.json", "{}");
  put(job.model() / "notes.txt", "x");
  must(prepare(job));
  EXPECT_FALSE(std::filesystem::exists(job.run().base() / "generation_config.json"));
  EXPECT_FALSE(std::filesystem::exists(job.run().base() / "notes.txt"));
}

TEST(PrepareRunFolder, AnExistingRunIsRefusedUnlessResumed) {
  const TinyJob job;
  must(prepare(job));
  const auto before = files_of(job.run().root);
  const Status again = prepare(job);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kInvalidInput);
  EXPECT_NE(again.error().what.find("--resume"), std::string::npos);
  must(prepare(job, Existing::kResume));
  EXPECT_EQ(files_of(job.run().root), before);
}

TEST(PrepareRunFolder, AlteredInputsAreToldOnResume) {
  const TinyJob job;
  must(prepare(job));
  const auto whole = files_of(job.run().root);
  for (const auto& [name, bytes] : whole) {
    if (name == "contract.json") continue;
    const Path file = job.run().root / name;
    std::filesystem::remove(file);  // it is linked to the one that was given
    std::string altered = bytes;
    altered.back() ^= 1;
    put(file, altered);
    const Status again = prepare(job, Existing::kResume);
    ASSERT_FALSE(again) << name;
    EXPECT_EQ(again.error().code, Code::kCorrupt);
    EXPECT_NE(again.error().what.find(name), std::string::npos) << again.error().what;
    EXPECT_EQ(get(file), altered) << "nothing is overwritten";
    put(file, bytes);
    must(prepare(job, Existing::kResume));
  }
}

TEST(PrepareRunFolder, AnInterruptedSetUpIsRepeated) {
  const TinyJob job;
  must(prepare(job));
  const auto whole = files_of(job.run().root);
  for (const auto& [name, bytes] : whole) {
    if (name == "contract.json") continue;
    std::filesystem::remove(job.run().root / name);
    must(prepare(job, Existing::kResume));
    EXPECT_EQ(files_of(job.run().root), whole) << name;
  }
}

TEST(PrepareRunFolder, AnotherContractsRunIsLeftAlone) {
  const TinyJob job;
  Contract other = job.contract();
  other.steps = 3;
  std::filesystem::create_directory(job.run().root);
  put(job.run().contract(), testing::sign(other).envelope);
  const auto before = files_of(job.run().root);
  for (const Existing existing : {Existing::kRefuse, Existing::kResume}) {
    const Status done = prepare(job, existing);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kInvalidInput);
    EXPECT_NE(done.error().what.find(other.digest().hex()), std::string::npos);
    EXPECT_NE(done.error().what.find(job.contract().digest().hex()), std::string::npos);
    EXPECT_EQ(files_of(job.run().root), before);
  }
}

TEST(PrepareRunFolder, AFolderOfSomethingElseIsLeftAlone) {
  const TinyJob job;
  std::filesystem::create_directory(job.run().root);
  put(job.run().root / "thesis.tex", "x");
  const auto before = files_of(job.run().root);
  for (const Existing existing : {Existing::kRefuse, Existing::kResume}) {
    const Status done = prepare(job, existing);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kInvalidInput);
    EXPECT_EQ(files_of(job.run().root), before);
  }
  EXPECT_FALSE(prepare_unrecorded_folder(job.run()));
  must(prepare_unrecorded_folder({job.folder / "new"}));
  EXPECT_TRUE(std::filesystem::is_directory(job.folder / "new"));
}

TEST(PrepareRunFolder, ACompanionThatIsNotTheContractsIsCorrupt) {
  const TinyJob job;
  put(job.model() / "tokenizer.json", get(job.model() / "tokenizer.json") + " ");
  const Status done = prepare(job);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kCorrupt);
  EXPECT_NE(done.error().what.find("tokenizer.json"), std::string::npos);
}

TEST(LoadBase, GivesTheParametersWithZeroMoments) {
  const TinyJob job;
  const SideInputs inputs = job.inputs();
  const auto states = must(load_base(job.contract(), job.model(), inputs, std::nullopt));
  ASSERT_EQ(states.size(), 2U);
  std::size_t tensors = 0;
  for (const train::BlockState& state : states) {
    tensors += state.parameters.size();
    EXPECT_EQ(state.first.size(), state.parameters.size());
    for (const auto& [name, moment] : state.second) {
      for (const float value : moment.f32()) EXPECT_EQ(value, 0.0F) << name;
    }
  }
  EXPECT_EQ(tensors, model::parameter_specs(job.contract().architecture).size());
}

TEST(LoadBase, AnotherModelIsCorruptAndBothRootsAreNamed) {
  const TinyJob job;
  const SideInputs inputs = job.inputs();
  testing::flip_bit(job.model() / "model.safetensors",
                    must(aftune::file_size(job.model() / "model.safetensors")) - 4);
  const auto states = load_base(job.contract(), job.model(), inputs, std::nullopt);
  ASSERT_FALSE(states);
  EXPECT_EQ(states.error().code, Code::kCorrupt);
  EXPECT_NE(states.error().what.find(job.contract().base_root.hex()), std::string::npos);
}

TEST(LoadBase, APrivateBaseNeedsTheProvidersSalt) {
  const TinyJob job([](Contract& c) { c.base_public = false; });
  const SideInputs inputs = job.inputs();
  const Digest salt = SaltSource(job.provider, job.contract().run_id).root_salt();
  EXPECT_TRUE(load_base(job.contract(), job.model(), inputs, salt));
  EXPECT_FALSE(load_base(job.contract(), job.model(), inputs, std::nullopt));
  EXPECT_FALSE(load_base(job.contract(), job.model(), inputs, testing::digest_of("guess")));
}

}  // namespace
}  // namespace aftune::trace
