// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <bit>
#include <functional>
#include <limits>

#include "aftune/model/narrow_folder_testing.h"
#include "aftune/model/new_model.h"
#include "aftune/model/tiny_folder_testing.h"

namespace aftune::model {
namespace {

using testing::get;
using testing::names_in;
using testing::put;
using testing::TempFolder;
using testing::tiny_folder;

/// A checkpoint as another program leaves it: no tables of ours.
Path source_folder(const TempFolder& root, bool tied) {
  const Path folder = tiny_folder(root, "source", tied);
  std::filesystem::remove(folder / "aftune.safetensors");
  return folder;
}

/// The upper halves of fp32 values: bf16, cut off.
Tensor as_bf16(const Tensor& tensor) {
  Tensor out(Dtype::kBF16, tensor.shape());
  for (std::uint64_t i = 0; i < tensor.count(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(tensor.f32()[i]);
    out.mutable_bytes()[2 * i] = static_cast<std::uint8_t>(bits >> 16);
    out.mutable_bytes()[2 * i + 1] = static_cast<std::uint8_t>(bits >> 24);
  }
  return out;
}

TensorMap read_tensors(const Path& folder) {
  const auto file = SafetensorsFile::open(folder / "model.safetensors");
  AFTUNE_CHECK(file.has_value(), "test folder opens");
  TensorMap out;
  for (const auto& [name, view] : file->tensors()) out.emplace(name, Tensor::copy_of(view));
  return out;
}

void write_tensors(const Path& folder, const TensorMap& tensors) {
  AFTUNE_CHECK(write_safetensors(folder / "model.safetensors", named_tensors(tensors)).has_value(),
               "test folder is written");
}

TEST(ImportHf, MakesAModelFolderOfTheSameParameters) {
  for (const bool tied : {false, true}) {
    const TempFolder root;
    const Path source = source_folder(root, tied);
    put(source / "generation_config.json", "{\"eos_token_id\": 3}");
    put(source / "README.md", "stays behind");
    const Status status = import_hf(source, root / "out");
    ASSERT_TRUE(status) << status.error().what;
    const auto model = open_model_folder(root / "out");
    ASSERT_TRUE(model) << model.error().what;
    EXPECT_EQ(get(root / "out/model.safetensors"), get(source / "model.safetensors"));
    EXPECT_EQ(get(root / "out/tokenizer.json"), get(source / "tokenizer.json"));
    EXPECT_EQ(get(root / "out/generation_config.json"), "{\"eos_token_id\": 3}");
    EXPECT_FALSE(std::filesystem::exists(root / "out/README.md"));
    EXPECT_TRUE(std::ranges::equal(model->tables.find(kInvFreqName)->bytes,
                                   make_inv_freq(model->config).bytes()));
  }
}

TEST(ImportHf, WidensBf16WithoutChange) {
  const TempFolder root;
  const Path source = source_folder(root, true);
  TensorMap tensors = read_tensors(source);
  TensorMap narrow;
  for (const auto& [name, tensor] : tensors) narrow.emplace(name, as_bf16(tensor));
  write_tensors(source, narrow);
  ASSERT_TRUE(import_hf(source, root / "out"));
  const TensorMap got = read_tensors(root / "out");
  for (const auto& [name, tensor] : tensors) {
    for (std::uint64_t i = 0; i < tensor.count(); ++i) {
      const auto expected = std::bit_cast<std::uint32_t>(tensor.f32()[i]) & 0xFFFF0000U;
      ASSERT_EQ(std::bit_cast<std::uint32_t>(got.at(name).f32()[i]), expected) << name;
    }
  }
}

TEST(ImportHf, KeepsNarrowElementsWhereItIsAskedTo) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBF16, Dtype::kF16}) {
    const TempFolder root;
    const Path source = source_folder(root, true);
    testing::set_dtype(source, dtype);
    const Status status = import_hf(source, root / "out", Elements::kKept);
    ASSERT_TRUE(status) << status.error().what;
    const auto model = open_model_folder(root / "out", Width::kAny);
    ASSERT_TRUE(model) << model.error().what;
    EXPECT_EQ(model->dtype, dtype);
    const TensorMap before = read_tensors(source);
    for (const auto& [name, view] : model->parameters.tensors()) {
      EXPECT_EQ(view.dtype, dtype) << name;
      EXPECT_TRUE(std::ranges::equal(view.bytes, before.at(name).bytes())) << name;
    }
    EXPECT_EQ(model->tables.find(kInvFreqName)->dtype, Dtype::kF32);
  }
}

TEST(ImportHf, KeepsNoMixtureOfTypes) {
  const TempFolder root;
  const Path source = source_folder(root, true);
  TensorMap tensors = read_tensors(source);
  Tensor& norm = tensors.at("model.norm.weight");
  norm = as_bf16(norm);
  write_tensors(source, tensors);
  const Status status = import_hf(source, root / "out", Elements::kKept);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kUnsupported);
  EXPECT_NE(status.error().what.find("tensor model.embed_tokens.weight is F32 and tensor "
                                     "model.norm.weight is BF16"),
            std::string::npos)
      << status.error().what;
  EXPECT_FALSE(std::filesystem::exists(root / "out"));
  EXPECT_TRUE(import_hf(source, root / "out"));
}

TEST(ImportHf, ANarrowElementThatIsNotFiniteIsRefused) {
  const TempFolder root;
  const Path source = source_folder(root, true);
  testing::set_dtype(source, Dtype::kBF16);
  TensorMap tensors = read_tensors(source);
  tensors.at("model.norm.weight").mutable_bytes()[3] = 0x7f;
  tensors.at("model.norm.weight").mutable_bytes()[2] = 0x80;
  write_tensors(source, tensors);
  const Status status = import_hf(source, root / "out", Elements::kKept);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().what.find("tensor model.norm.weight: element 1 is inf"),
            std::string::npos)
      << status.error().what;
}

TEST(ImportHf, KeepsTheIdsOfSpecialTokens) {
  const TempFolder root;
  const Path source = source_folder(root, true);
  auto config = codec::parse_json(get(source / "config.json"), {});
  ASSERT_TRUE(config);
  (*config->object())["bos_token_id"] = 1;
  (*config->object())["eos_token_id"] = codec::Json::Array{2, 3};
  (*config->object())["torch_dtype"] = "bfloat16";
  put(source / "config.json", codec::pretty_json(*config));
  ASSERT_TRUE(import_hf(source, root / "out"));
  const auto got = codec::parse_json(get(root / "out/config.json"), {});
  ASSERT_TRUE(got);
  EXPECT_EQ(*got->find("bos_token_id"), codec::Json(1));
  EXPECT_EQ(*got->find("eos_token_id"), (codec::Json(codec::Json::Array{2, 3})));
  EXPECT_EQ(*got->find("torch_dtype"), codec::Json("float32"));
}

TEST(ImportHf, TiedHeadMayBeThereIfItIsTheEmbedding) {
  const TempFolder root;
  const Path source = source_folder(root, true);
  TensorMap tensors = read_tensors(source);
  tensors.emplace("lm_head.weight", tensors.at("model.embed_tokens.weight").clone());
  write_tensors(source, tensors);
  ASSERT_TRUE(import_hf(source, root / "out"));
  EXPECT_FALSE(read_tensors(root / "out").contains("lm_head.weight"));

  tensors.at("lm_head.weight").mutable_bytes()[5] ^= 1;
  write_tensors(source, tensors);
  const Status status = import_hf(source, root / "other");
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().what.find("tensor lm_head.weight differs from"), std::string::npos);
}

TEST(ImportHf, LiesAreNamedAndLeaveNothing) {
  const struct {
    std::string name;
    std::function<void(const Path&)> apply;
    std::string what;
    Code code;
  } lies[] = {
      {"no config", [](const Path& f) { std::filesystem::remove(f / "config.json"); },
       "config.json", Code::kNotFound},
      {"no weights", [](const Path& f) { std::filesystem::remove(f / "model.safetensors"); },
       "model.safetensors", Code::kNotFound},
      {"no tokenizer", [](const Path& f) { std::filesystem::remove(f / "tokenizer.json"); },
       "tokenizer.json", Code::kNotFound},
      {"weights cut short",
       [](const Path& f) {
         const std::string all = get(f / "model.safetensors");
         put(f / "model.safetensors", all.substr(0, all.size() - 1));
       },
       "model.safetensors", Code::kInvalidInput},
      {"tensor missing",
       [](const Path& f) {
         TensorMap t = read_tensors(f);
         t.erase("model.norm.weight");
         write_tensors(f, t);
       },
       "tensor model.norm.weight is missing", Code::kInvalidInput},
      {"tensor too many",
       [](const Path& f) {
         TensorMap t = read_tensors(f);
         t.emplace("model.rotary", Tensor::zeros({2}));
         write_tensors(f, t);
       },
       "21 tensors, expected 20", Code::kInvalidInput},
      {"integers",
       [](const Path& f) {
         TensorMap t = read_tensors(f);
         t.at("model.norm.weight") = Tensor(Dtype::kI32, {8});
         write_tensors(f, t);
       },
       "tensor model.norm.weight", Code::kUnsupported},
      {"infinite weight",
       [](const Path& f) {
         TensorMap t = read_tensors(f);
         t.at("model.norm.weight").f32()[1] = std::numeric_limits<float>::infinity();
         write_tensors(f, t);
       },
       "tensor model.norm.weight: element 1 is inf", Code::kInvalidInput},
  };
  for (const auto& lie : lies) {
    const TempFolder root;
    const Path source = source_folder(root, true);
    lie.apply(source);
    const Status status = import_hf(source, root / "out");
    ASSERT_FALSE(status) << lie.name;
    EXPECT_EQ(status.error().code, lie.code) << lie.name << ": " << status.error().what;
    EXPECT_NE(status.error().what.find(lie.what), std::string::npos)
        << lie.name << ": " << status.error().what;
    EXPECT_FALSE(std::filesystem::exists(root / "out")) << lie.name;
  }
}

}  // namespace
}  // namespace aftune::model
