// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/model_folder.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "aftune/base/must_testing.h"
#include "aftune/model/narrow_folder_testing.h"
#include "aftune/model/new_model.h"
#include "aftune/model/tiny_folder_testing.h"
#include "aftune/tensor/narrow.h"

namespace aftune::model {
namespace {

using testing::get;
using testing::names_in;
using testing::put;
using testing::TempFolder;
using testing::tiny_folder;
using testing::tiny_folder_config;

TensorMap parameters_of(const Path& folder) {
  const auto model = open_model_folder(folder);
  AFTUNE_CHECK(model.has_value(), model ? "" : model.error().what);
  auto map = load_parameters(*model, parameter_specs(model->config));
  AFTUNE_CHECK(map.has_value(), "parameters load");
  return *std::move(map);
}

TEST(ModelFolder, GivesConfigParametersAndTables) {
  for (const bool tied : {false, true}) {
    const TempFolder root;
    const auto model = open_model_folder(tiny_folder(root, "base", tied));
    ASSERT_TRUE(model) << model.error().what;
    EXPECT_EQ(model->config, tiny_folder_config(tied));
    EXPECT_EQ(model->parameters.tensors().size(), parameter_specs(model->config).size());
    const Tensor expected = make_inv_freq(model->config);
    const TensorView* table = model->tables.find(kInvFreqName);
    ASSERT_NE(table, nullptr);
    EXPECT_TRUE(std::ranges::equal(table->bytes, expected.bytes()));
  }
}

TEST(ModelFolder, LoadsOnlyTheParametersAskedFor) {
  const TempFolder root;
  const auto model = open_model_folder(tiny_folder(root, "base", true));
  ASSERT_TRUE(model);
  const auto one = load_parameters(*model, {{"model.norm.weight", Dtype::kF32, {8}}});
  ASSERT_TRUE(one);
  ASSERT_EQ(one->size(), 1U);
  EXPECT_EQ(one->begin()->second.f32()[7], 1.0F);
  const auto none = load_parameters(*model, {{"lm_head.weight", Dtype::kF32, {7, 8}}});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kNotFound);
  EXPECT_NE(none.error().what.find("lm_head.weight"), std::string::npos);
}

TEST(ModelFolder, ANarrowOneOpensForWhoAsksAlone) {
  for (const Dtype dtype : {Dtype::kBF16, Dtype::kF16}) {
    const TempFolder root;
    const Path folder = tiny_folder(root, "base", true);
    testing::set_dtype(folder, Dtype::kF32);
    const TensorMap values = parameters_of(folder);
    testing::set_dtype(folder, dtype);
    const auto refused = open_model_folder(folder);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find(std::string("is ") + std::string(dtype_name(dtype))),
              std::string::npos)
        << refused.error().what;
    const auto model = open_model_folder(folder, Width::kAny);
    ASSERT_TRUE(model) << model.error().what;
    EXPECT_EQ(model->dtype, dtype);
    const auto specs = parameter_specs(model->config);
    const auto wide = load_parameters(*model, specs);
    const auto stored = load_as_stored(*model, specs);
    ASSERT_TRUE(wide && stored);
    for (const auto& [name, tensor] : values) {
      EXPECT_TRUE(std::ranges::equal(wide->at(name).bytes(), tensor.bytes())) << name;
      EXPECT_EQ(stored->at(name).dtype(), dtype);
      EXPECT_EQ(2 * stored->at(name).bytes().size(), tensor.bytes().size());
    }
  }
}

TEST(ModelFolder, ThreadsLoadWhatOneLoads) {
  const TempFolder root;
  const std::uint64_t count = 2 * (std::uint64_t{1} << 18) + 5;  // two parts and a rest
  Tensor values = Tensor::zeros({count});
  for (std::uint64_t i = 0; i < count; ++i) values.data()[i] = static_cast<float>(i % 251);
  const auto model = open_model_folder(tiny_folder(root, "base", true));
  ASSERT_TRUE(model);
  ThreadPool pool(3);
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBF16}) {
    const Tensor narrow = round_to_bf16(values);
    const Path path = root / (dtype == Dtype::kF32 ? "wide" : "narrow");
    const TensorView stored = dtype == Dtype::kF32 ? values.view() : narrow.view();
    ASSERT_TRUE(write_safetensors(path, {{"large", stored}}));
    const ModelFolder folder{root / "base", model->config, dtype, must(SafetensorsFile::open(path)),
                             must(SafetensorsFile::open(path))};
    for (ThreadPool* const threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
      const auto loaded = load_parameters(folder, {{"large", Dtype::kF32, {count}}}, threads);
      ASSERT_TRUE(loaded);
      EXPECT_TRUE(std::ranges::equal(loaded->at("large").bytes(), values.bytes()));
    }
  }
}

TEST(ModelFolder, BorrowedMatricesAreThoseOfTheFile) {
  const TempFolder root;
  const auto model = open_model_folder(tiny_folder(root, "base", false));
  ASSERT_TRUE(model);
  const auto specs = parameter_specs(model->config);
  const auto loaded = load_parameters(*model, specs);
  const auto borrowed = borrow_parameters(*model, specs);
  ASSERT_TRUE(loaded && borrowed);
  ASSERT_EQ(borrowed->size(), specs.size());
  for (const auto& [name, tensor] : *borrowed) {
    EXPECT_TRUE(std::ranges::equal(tensor.bytes(), loaded->at(name).bytes())) << name;
    EXPECT_EQ(tensor.shape(), loaded->at(name).shape()) << name;
    const TensorView* stored = model->parameters.find(name);
    ASSERT_NE(stored, nullptr);
    EXPECT_EQ(tensor.bytes().data() == stored->bytes.data(), stored->shape.size() > 1) << name;
  }
  EXPECT_FALSE(borrow_parameters(*model, {{"none", Dtype::kF32, {1}}}));
}

TEST(ModelFolder, AMixtureOfTypesIsRefused) {
  const TempFolder root;
  const Path folder = tiny_folder(root, "base", true);
  testing::set_dtype(folder, Dtype::kBF16);
  const auto narrow = open_model_folder(folder, Width::kAny);
  ASSERT_TRUE(narrow);
  auto tensors = load_as_stored(*narrow, parameter_specs(narrow->config));
  ASSERT_TRUE(tensors);
  tensors->at("model.norm.weight") = Tensor::zeros({8});
  ASSERT_TRUE(write_safetensors(folder / "model.safetensors", named_tensors(*tensors)));
  const auto mixed = open_model_folder(folder, Width::kAny);
  ASSERT_FALSE(mixed);
  EXPECT_NE(mixed.error().what.find("model.norm.weight is F32 [8], expected BF16 [8]"),
            std::string::npos)
      << mixed.error().what;
}

TEST(ModelFolder, MissingPiecesAreNamed) {
  for (const char* name :
       {"config.json", "model.safetensors", "aftune.safetensors", "tokenizer.json"}) {
    const TempFolder root;
    const Path folder = tiny_folder(root, "base", true);
    std::filesystem::remove(folder / name);
    const auto model = open_model_folder(folder);
    ASSERT_FALSE(model) << name;
    EXPECT_EQ(model.error().code, Code::kNotFound) << name;
    EXPECT_NE(model.error().what.find(name), std::string::npos) << model.error().what;
  }
  const auto none = open_model_folder("/nonexistent/model");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kNotFound);
}

TEST(ModelFolder, OtherTensorsThanTheArchitectureImpliesAreNamed) {
  const Tensor wrong = Tensor::zeros({9});
  const Tensor integers(Dtype::kI32, {8});
  const Tensor right = Tensor::zeros({8});
  const struct {
    std::string name;
    std::function<void(std::vector<NamedTensor>&)> apply;
    std::string what;
  } lies[] = {
      {"missing", [](auto& t) { t.pop_back(); }, "tensor model.norm.weight is missing"},
      {"shape", [&](auto& t) { t.back().tensor = wrong.view(); },
       "tensor model.norm.weight is F32 [9], expected F32 [8]"},
      {"dtype", [&](auto& t) { t.back().tensor = integers.view(); },
       "tensor model.norm.weight is I32 [8], expected F32 [8]"},
      {"extra",
       [&](auto& t) {
         t.push_back({"extra", right.view()});
       },
       "unexpected tensor extra"},
  };
  for (const auto& lie : lies) {
    const TempFolder root;
    const Path folder = tiny_folder(root, "base", true);
    const TensorMap map = parameters_of(folder);
    std::vector<NamedTensor> tensors = named_tensors(map);
    lie.apply(tensors);
    ASSERT_TRUE(write_safetensors(folder / "model.safetensors", tensors));
    const auto model = open_model_folder(folder);
    ASSERT_FALSE(model) << lie.name;
    EXPECT_EQ(model.error().code, Code::kInvalidInput);
    EXPECT_EQ(model.error().what, (folder / "model.safetensors").string() + ": " + lie.what);
  }
}

TEST(ModelFolder, TableOfAnotherShapeIsRefused) {
  const TempFolder root;
  const Path folder = tiny_folder(root, "base", true);
  const Tensor table = Tensor::zeros({3});
  ASSERT_TRUE(write_safetensors(folder / "aftune.safetensors", {{kInvFreqName, table.view()}}));
  const auto model = open_model_folder(folder);
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().what.find("aftune.rotary.inv_freq is F32 [3], expected F32 [2]"),
            std::string::npos);
}

TEST(ModelFolder, BrokenConfigIsRefusedWithItsPath) {
  const TempFolder root;
  const Path folder = tiny_folder(root, "base", true);
  for (const char* text : {"", "{", "[]", "{\"model_type\": \"llama\"}"}) {
    put(folder / "config.json", text);
    const auto model = open_model_folder(folder);
    ASSERT_FALSE(model) << text;
    EXPECT_NE(model.error().what.find(folder.string()), std::string::npos) << model.error().what;
  }
}

TEST(ModelFolder, CompanionsAscendAndAreThoseThatExist) {
  EXPECT_TRUE(std::is_sorted(companion_files().begin(), companion_files().end()));
  const TempFolder root;
  const Path folder = tiny_folder(root, "base", true);
  put(folder / "generation_config.json", "{}");
  put(folder / "notes.txt", "other");
  std::filesystem::create_directory(folder / "special_tokens_map.json");
  EXPECT_EQ(companions_of(folder),
            (std::vector<std::string>{"aftune.safetensors", "config.json", "generation_config.json",
                                      "tokenizer.json"}));
}

TEST(ModelFolder, WrittenFolderHasTheParametersAndTheBasesCompanions) {
  const TempFolder root;
  const Path base = tiny_folder(root, "base", true);
  put(base / "tokenizer_config.json", "{ \"spacing\" :  1}\n\n");
  put(base / "notes.txt", "stays behind");
  TensorMap parameters = parameters_of(base);
  parameters.at("model.norm.weight").f32()[0] = 2.0F;
  ASSERT_TRUE(write_model_folder(root / "out", base, parameters));
  EXPECT_EQ(names_in(root / "out"),
            (std::vector<std::string>{"aftune.safetensors", "config.json", "model.safetensors",
                                      "tokenizer.json", "tokenizer_config.json"}));
  for (const std::string& name : companions_of(base)) {
    EXPECT_EQ(get(root / "out" / name), get(base / name)) << name;
  }
  const TensorMap got = parameters_of(root / "out");
  for (const auto& [name, tensor] : parameters) {
    EXPECT_TRUE(std::ranges::equal(got.at(name).bytes(), tensor.bytes())) << name;
  }
  ASSERT_TRUE(write_model_folder(root / "again", base, got));
  EXPECT_EQ(get(root / "again" / "model.safetensors"), get(root / "out" / "model.safetensors"));
}

TEST(ModelFolder, RefusedParametersLeaveNothing) {
  const struct {
    std::string name;
    std::function<void(TensorMap&)> apply;
    std::string what;
  } lies[] = {
      {"missing", [](TensorMap& m) { m.erase("model.norm.weight"); },
       "model.norm.weight is missing"},
      {"extra", [](TensorMap& m) { m.emplace("x", Tensor::zeros({1})); },
       "21 tensors, expected 20"},
      {"shape", [](TensorMap& m) { m.at("model.norm.weight") = Tensor::zeros({4}); },
       "is F32 [4], expected F32 [8]"},
      {"nan",
       [](TensorMap& m) {
         m.at("model.norm.weight").f32()[3] = std::numeric_limits<float>::quiet_NaN();
       },
       "tensor model.norm.weight: element 3 is nan"},
  };
  const TempFolder root;
  const Path base = tiny_folder(root, "base", true);
  for (const auto& lie : lies) {
    TensorMap parameters = parameters_of(base);
    lie.apply(parameters);
    const Status status = write_model_folder(root / "out", base, parameters);
    ASSERT_FALSE(status) << lie.name;
    EXPECT_NE(status.error().what.find(lie.what), std::string::npos) << status.error().what;
    EXPECT_FALSE(std::filesystem::exists(root / "out"));
  }
}

TEST(ModelFolder, FolderWithContentIsNeverOverwritten) {
  const TempFolder root;
  const Path base = tiny_folder(root, "base", true);
  const std::string before = get(base / "model.safetensors");
  EXPECT_FALSE(write_model_folder(base, base, parameters_of(base)));
  EXPECT_EQ(get(base / "model.safetensors"), before);
}

}  // namespace
}  // namespace aftune::model
