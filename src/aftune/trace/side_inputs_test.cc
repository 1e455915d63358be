// SPDX-License-Identifier: Apache-2.0
#include "aftune/trace/side_inputs.h"

#include <gtest/gtest.h>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::trace {
namespace {

using testing::get;
using testing::put;
using testing::TinyJob;

::testing::AssertionResult fails(const TinyJob& job, Code code, const std::string& naming) {
  const auto inputs = SideInputs::open(job.contract(), job.data(), job.model());
  if (inputs) return ::testing::AssertionFailure() << "opened";
  if (inputs.error().code == code && inputs.error().what.find(naming) != std::string::npos) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << inputs.error().what;
}

TEST(SideInputs, GiveModelAndBatchesOfTheContract) {
  const TinyJob job;
  SideInputs inputs = job.inputs();
  EXPECT_EQ(inputs.model().config, job.contract().architecture);
  EXPECT_EQ(inputs.table_digest(), crypto::blake3(inputs.model().inv_freq.bytes()));
  const auto batches = testing::must(inputs.batches().micro_batches(0));
  EXPECT_EQ(batches.size(), 2U);
  EXPECT_EQ(inputs.batches().rows(0).size(), 3U);
  EXPECT_TRUE(inputs.batches().check_steps(job.contract().steps));
}

TEST(SideInputs, PackedSamplesMustFillABatch) {
  // Lists of 5, 4, 4 | 6, 6, 4 | 4 tokens in samples of 16.
  const auto packed = [](std::uint64_t samples, bool drop_last) {
    return TinyJob([=](Contract& c) {
      c.text.sequence = 16;
      c.text.packing = true;
      c.batch = {samples, 2};
      c.order.drop_last = drop_last;
    });
  };
  const TinyJob job = packed(3, true);
  SideInputs inputs = job.inputs();
  EXPECT_EQ(inputs.batches().rows(0).size(), 3U);
  EXPECT_TRUE(inputs.batches().check_steps(job.contract().steps));
  EXPECT_TRUE(fails(packed(4, true), Code::kInvalidInput,
                    "contract.batch.samples is 4, the rows pack into 3 samples"));
  EXPECT_EQ(packed(4, false).inputs().batches().rows(0).size(), 4U);
}

TEST(SideInputs, AnotherDataSetIsCorrupt) {
  const TinyJob job;
  std::string rows = get(job.data());
  put(job.data(), rows + "{\"prompt\":\"a\",\"completion\":\"b\"}\n");
  EXPECT_TRUE(fails(job, Code::kCorrupt, "has 8 rows, the contract has 7"));
  rows[rows.find("bcd")] = 'c';
  put(job.data(), rows);
  EXPECT_TRUE(fails(job, Code::kCorrupt, job.contract().data_root.hex()));
  // A file of holes is refused before a byte of it is read.
  std::filesystem::resize_file(job.data(), 8 * (text::kMaxRowBytes + 1));
  EXPECT_TRUE(fails(job, Code::kCorrupt, "7 rows cannot have as many"));
  std::filesystem::remove(job.data());
  EXPECT_TRUE(fails(job, Code::kNotFound, "data.jsonl"));
  put(job.data(), "");
  EXPECT_TRUE(fails(job, Code::kInvalidInput, ""));
}

TEST(SideInputs, EachBoundFileOfTheBaseIsCompared) {
  for (const char* name : {"config.json", "tokenizer.json", "aftune.safetensors"}) {
    const TinyJob job;
    testing::flip_bit(job.model() / name, 20);
    EXPECT_TRUE(fails(job, Code::kCorrupt, name));
    std::filesystem::remove(job.model() / name);
    EXPECT_TRUE(fails(job, Code::kNotFound, name));
  }
}

TEST(SideInputs, AConfigOfAnotherArchitectureIsRefusedThoughBound) {
  Contract forged;
  const TinyJob job;
  forged = job.contract();
  forged.architecture.rope_theta = 5000;
  const auto inputs = SideInputs::open(forged, job.data(), job.model());
  ASSERT_FALSE(inputs);
  EXPECT_NE(inputs.error().what.find("another architecture"), std::string::npos);
}

TEST(SideInputs, ATableOfAnotherShapeIsRefusedThoughBound) {
  const TinyJob job;
  const Path table = job.model() / "aftune.safetensors";
  for (const Tensor& other : {Tensor(Dtype::kF32, {3}), Tensor(Dtype::kF16, {2})}) {
    testing::must(write_safetensors(table, {{model::kInvFreqName, other.view()}}));
    Contract forged = job.contract();
    for (BoundFile& file : forged.companions) {
      if (file.path == "aftune.safetensors") {
        file.size = testing::must(aftune::file_size(table));
        file.sha256 = testing::must(crypto::sha256_file(table));
      }
    }
    const auto inputs = SideInputs::open(forged, job.data(), job.model());
    ASSERT_FALSE(inputs);
    EXPECT_NE(inputs.error().what.find("has no F32 tensor"), std::string::npos);
  }
}

TEST(SideInputs, ATokenizerWithMoreTokensThanTheModelIsRefused) {
  std::string tokenizer(testing::kTinyTokenizer);
  tokenizer.replace(tokenizer.find("\"f\": 5"), 6, "\"f\": 5, \"g\": 6, \"h\": 7");
  const TinyJob job({}, testing::kTinyRows, tokenizer);
  EXPECT_TRUE(fails(job, Code::kInvalidInput, "tokenizer.json has 8 tokens, the model has 7"));
}

TEST(CheckBoundFile, NamesBothSizesAndDigests) {
  const testing::TempFolder folder;
  put(folder / "a", "hello");
  const BoundFile bound{"a", 5, testing::digest_of("hello")};
  EXPECT_TRUE(check_bound_file(bound, folder.path()));
  put(folder / "a", "hellO");
  const Status other = check_bound_file(bound, folder.path());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kCorrupt);
  EXPECT_NE(other.error().what.find(testing::digest_of("hello").hex()), std::string::npos);
  EXPECT_NE(other.error().what.find(testing::digest_of("hellO").hex()), std::string::npos);
  put(folder / "a", "hello!");
  const Status longer = check_bound_file(bound, folder.path());
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code, Code::kCorrupt);
  EXPECT_NE(longer.error().what.find("has 6 bytes, bound are 5"), std::string::npos);
  std::filesystem::remove(folder / "a");
  EXPECT_EQ(check_bound_file(bound, folder.path()).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace aftune::trace
