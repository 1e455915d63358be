// SPDX-License-Identifier: Apache-2.0
// Adapters beside a base that keeps two bytes an element: docs/formats/lora.md, "A narrow base".
#include <gtest/gtest.h>

#include "aftune/trace/finished_run_testing.h"

namespace aftune::trace {
namespace {

using testing::expect_whole;
using testing::files_of;
using testing::kTinyRows;
using testing::kTinyTokenizer;
using testing::must;
using testing::TinyJob;

void with_adapters(Contract& contract) {
  contract.adapter =
      AdapterSpec{{2, 4, 0.25, false, {"down_proj", "q_proj"}, {"norm", "v_proj"}}, std::nullopt};
}

TinyJob job_of(Dtype base, const TinyJob::Change& change = with_adapters) {
  return TinyJob(change, kTinyRows, kTinyTokenizer, base);
}

/// What all steps committed to, without salts.
std::string computed(const TinyJob& job) {
  const auto entries = job.log(job.run()).entries;
  const Openings openings = must(Openings::open(job.run(), job.contract(), entries));
  std::string out;
  for (std::uint64_t step = 0; step < job.contract().steps; ++step) {
    StepList list = must(openings.step_list(step));
    list.salt = {};
    out += encode_list(job.contract(), step, list);
  }
  return out;
}

TEST(NarrowBase, GivesTheBitsOfItsWidenedTwin) {
  const TinyJob wide = job_of(Dtype::kF32);
  ASSERT_EQ(must(wide.train()).end, RunEnd::kClosed);
  for (const Dtype dtype : {Dtype::kBF16, Dtype::kF16}) {
    const TinyJob narrow = job_of(dtype);
    ASSERT_EQ(must(narrow.train()).end, RunEnd::kClosed);
    EXPECT_EQ(computed(narrow), computed(wide)) << dtype_name(dtype);
    EXPECT_EQ(files_of(narrow.run().delivered()), files_of(wide.run().delivered()));
    EXPECT_NE(narrow.contract().base_root, wide.contract().base_root) << "bytes are bound";
    expect_whole(narrow, narrow.run());
  }
}

TEST(NarrowBase, IsHeldAsItLies) {
  const TinyJob job = job_of(Dtype::kBF16);
  const SideInputs inputs = job.inputs();
  const auto states = must(load_base(job.contract(), job.model(), inputs, std::nullopt));
  std::size_t matrices = 0;
  for (const train::BlockState& state : states) {
    for (const auto& [name, tensor] : *state.frozen) {
      const bool matrix = tensor.shape().size() == 2;
      EXPECT_EQ(tensor.dtype(), matrix ? Dtype::kBF16 : Dtype::kF32) << name;
      matrices += matrix ? 1 : 0;
    }
    for (const auto& [name, tensor] : state.parameters) {
      EXPECT_EQ(tensor.dtype(), Dtype::kF32) << name << ", a saved module too";
    }
  }
  EXPECT_EQ(matrices, 1U + 3 * 6) << "the embedding, and all of a layer but v_proj";
}

TEST(NarrowBase, OfAnotherTypeThanTheContractsIsRefused) {
  const TinyJob narrow = job_of(Dtype::kBF16, [](Contract& c) {
    with_adapters(c);
    c.dtypes.frozen = Dtype::kF16;
  });
  const auto trained = narrow.train();
  ASSERT_FALSE(trained);
  EXPECT_EQ(trained.error().code, Code::kCorrupt);
  EXPECT_NE(trained.error().what.find("has parameters in BF16, the contract in F16"),
            std::string::npos)
      << trained.error().what;
}

TEST(NarrowBase, OfTheRightTypeAndOtherBitsIsRefused) {
  const TinyJob job = job_of(Dtype::kBF16);
  const Path weights = job.model() / "model.safetensors";
  testing::flip_bit(weights, must(aftune::file_size(weights)) - 1);
  const auto trained = job.train();
  ASSERT_FALSE(trained);
  EXPECT_NE(trained.error().what.find("the contract has"), std::string::npos)
      << trained.error().what;
}

TEST(NarrowBase, ServesAdaptersAlone) {
  const TinyJob job = job_of(Dtype::kBF16, [](Contract& c) { c.dtypes.frozen = Dtype::kF32; });
  const auto trained = job.train();
  ASSERT_FALSE(trained);
  EXPECT_NE(trained.error().what.find("is BF16"), std::string::npos) << trained.error().what;
}

}  // namespace
}  // namespace aftune::trace
