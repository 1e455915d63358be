// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/delivery.h"

#include <gtest/gtest.h>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using testing::files_of;
using testing::must;
using testing::TinyJob;

TensorMap parameters_of(const TinyJob& job) {
  const auto folder = must(model::open_model_folder(job.model()));
  return must(model::load_parameters(folder, model::parameter_specs(folder.config)));
}

TEST(Deliver, WritesTheParametersAndTheContractsCompanions) {
  const TinyJob job;
  const TensorMap parameters = parameters_of(job);
  const auto files = must(deliver(job.contract(), job.model(), parameters, job.folder / "out"));
  ASSERT_EQ(files.size(), 4U);
  const auto written = files_of(job.folder / "out");
  ASSERT_EQ(written.size(), 4U);
  for (const BoundFile& file : files) {
    EXPECT_EQ(written.at(file.path).size(), file.size);
    EXPECT_EQ(testing::digest_of(written.at(file.path)), file.sha256);
  }
  EXPECT_EQ(written, files_of(job.model())) << "the base itself was delivered";
  EXPECT_EQ(expected_weights(job.contract(), parameters).size,
            expected_weights_size(job.contract()));
}

TEST(Deliver, AnEqualFolderIsKept) {
  const TinyJob job;
  const TensorMap parameters = parameters_of(job);
  const auto first = must(deliver(job.contract(), job.model(), parameters, job.folder / "out"));
  const auto time = std::filesystem::last_write_time(job.folder / "out" / "model.safetensors");
  EXPECT_EQ(must(deliver(job.contract(), job.model(), parameters, job.folder / "out")), first);
  EXPECT_EQ(std::filesystem::last_write_time(job.folder / "out" / "model.safetensors"), time);
}

TEST(Deliver, AnotherFolderIsNeverOverwritten) {
  const TinyJob job;
  std::filesystem::create_directory(job.folder / "out");
  testing::put(job.folder / "out" / "model.safetensors", "mine");
  const auto before = files_of(job.folder / "out");
  EXPECT_FALSE(deliver(job.contract(), job.model(), parameters_of(job), job.folder / "out"));
  EXPECT_EQ(files_of(job.folder / "out"), before);
}

TEST(Deliver, ALeftOverOfAKilledRunIsRemoved) {
  const TinyJob job;
  const std::string left = "out.tmp-" + job.contract().digest().hex().substr(0, 8);
  std::filesystem::create_directory(job.folder / left);
  testing::put(job.folder / left / "model.safetensors", "half");
  must(deliver(job.contract(), job.model(), parameters_of(job), job.folder / "out"));
  EXPECT_EQ(files_of(job.folder / "out"), files_of(job.model()));
  EXPECT_FALSE(std::filesystem::exists(job.folder / left));
  std::filesystem::create_directory(job.folder / left);
  must(deliver(job.contract(), job.model(), parameters_of(job), job.folder / "out"));
  EXPECT_FALSE(std::filesystem::exists(job.folder / left)) << "beside a whole folder";
}

TEST(Deliver, ChangedCompanionsAreRefused) {
  const TinyJob job;
  const TensorMap parameters = parameters_of(job);
  testing::flip_bit(job.model() / "tokenizer.json", 3);
  const auto done = deliver(job.contract(), job.model(), parameters, job.folder / "out");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kCorrupt);
  EXPECT_FALSE(std::filesystem::exists(job.folder / "out"));
}

}  // namespace
}  // namespace aftune::trace
