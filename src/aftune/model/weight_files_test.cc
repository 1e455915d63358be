// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/weight_files.h"

#include <gtest/gtest.h>

#include <functional>

#include "aftune/codec/json.h"
#include "aftune/model/new_model.h"
#include "aftune/model/tiny_folder_testing.h"

namespace aftune::model {
namespace {

using codec::Json;
using testing::get;
using testing::put;
using testing::TempFolder;
using testing::tiny_folder;

constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kFirst = "model-00001-of-00003.safetensors";
constexpr const char* kSecond = "model-00002-of-00003.safetensors";

TensorMap tensors_of(const Path& file) {
  const auto opened = SafetensorsFile::open(file);
  AFTUNE_CHECK(opened.has_value(), "test file opens");
  TensorMap out;
  for (const auto& [name, view] : opened->tensors()) out.emplace(name, Tensor::copy_of(view));
  return out;
}

void write_tensors(const Path& file, const TensorMap& tensors) {
  AFTUNE_CHECK(write_safetensors(file, named_tensors(tensors)).has_value(), "test file is written");
}

void write_index(const Path& folder, const Json::Object& map) {
  put(folder / kIndex,
      codec::pretty_json(
          Json::Object{{"metadata", Json::Object{{"total_size", 12345}}}, {"weight_map", map}}));
}

Json::Object read_map(const Path& folder) {
  const auto json = codec::parse_json(get(folder / kIndex), {});
  AFTUNE_CHECK(json.has_value(), "test index is JSON");
  return *json->find("weight_map")->object();
}

/// A model as save_pretrained leaves it in three files; neighbours in name lie in different ones.
Path sharded_folder(const TempFolder& root) {
  const Path folder = tiny_folder(root, "source", false);
  std::filesystem::remove(folder / "aftune.safetensors");
  const TensorMap all = tensors_of(folder / "model.safetensors");
  std::vector<TensorMap> shards(3);
  Json::Object map;
  std::size_t next = 0;
  for (const auto& [name, tensor] : all) {
    const std::size_t shard = next++ % 3;
    shards[shard].emplace(name, tensor.clone());
    map[name] = "model-0000" + std::to_string(shard + 1) + "-of-00003.safetensors";
  }
  for (std::size_t i = 0; i < 3; ++i) {
    write_tensors(folder / ("model-0000" + std::to_string(i + 1) + "-of-00003.safetensors"),
                  shards[i]);
  }
  write_index(folder, map);
  std::filesystem::rename(folder / "model.safetensors", root / "whole.safetensors");
  return folder;
}

TEST(WeightFiles, SeveralFilesAreImportedAsOne) {
  const TempFolder root;
  const Path source = sharded_folder(root);
  const Status status = import_hf(source, root / "out");
  ASSERT_TRUE(status) << status.error().what;
  EXPECT_EQ(get(root / "out/model.safetensors"), get(root / "whole.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(root / "out" / kIndex));
}

TEST(WeightFiles, OneFileGoesBeforeTheIndex) {
  const TempFolder root;
  const Path source = sharded_folder(root);
  std::filesystem::copy_file(root / "whole.safetensors", source / "model.safetensors");
  put(source / kIndex, "no JSON");
  const auto files = WeightFiles::open(source);
  ASSERT_TRUE(files) << files.error().what;
  EXPECT_EQ(files->path().filename(), "model.safetensors");
  EXPECT_EQ(files->tensors().size(), tensors_of(root / "whole.safetensors").size());
}

TEST(WeightFiles, OldRotaryTablesAreLeftBehind) {
  const TempFolder root;
  const Path source = sharded_folder(root);
  std::filesystem::remove(source / kIndex);
  TensorMap all = tensors_of(root / "whole.safetensors");
  all.emplace("model.layers.0.self_attn.rotary_emb.inv_freq", Tensor::zeros({2}));
  write_tensors(source / "model.safetensors", all);
  ASSERT_TRUE(import_hf(source, root / "out"));
  EXPECT_EQ(get(root / "out/model.safetensors"), get(root / "whole.safetensors"));
}

struct Lie {
  std::string name;
  std::function<void(const Path&)> tell;
  std::string what;
  Code code = Code::kInvalidInput;
};

/// Changes one entry of the index.
std::function<void(const Path&)> placed(const Json& file) {
  return [file](const Path& folder) {
    Json::Object map = read_map(folder);
    map["lm_head.weight"] = file;
    write_index(folder, map);
  };
}

const std::vector<Lie>& lies() {
  static const std::vector<Lie> all = {
      {"file missing", [](const Path& f) { std::filesystem::remove(f / kSecond); }, kSecond,
       Code::kNotFound},
      {"file cut short",
       [](const Path& f) {
         const std::string text = get(f / kFirst);
         put(f / kFirst, text.substr(0, text.size() - 1));
       },
       kFirst},
      {"tensor in two files",
       [](const Path& f) {
         TensorMap second = tensors_of(f / kSecond);
         second.emplace("lm_head.weight", tensors_of(f / kFirst).at("lm_head.weight").clone());
         write_tensors(f / kSecond, second);
       },
       "tensor lm_head.weight is in model-00002-of-00003.safetensors, the index places it in "
       "model-00001-of-00003.safetensors"},
      {"tensor twice in the index",
       [](const Path& f) {
         std::string text = get(f / kIndex);
         const std::string once = "\"lm_head.weight\":";
         text.insert(text.find(once), once + " \"" + kSecond + "\",\n");
         put(f / kIndex, text);
       },
       kIndex},
      {"tensor that the index has not",
       [](const Path& f) {
         TensorMap first = tensors_of(f / kFirst);
         first.emplace("model.extra", Tensor::zeros({2}));
         write_tensors(f / kFirst, first);
       },
       "model-00001-of-00003.safetensors: tensor model.extra is not in the index"},
      {"tensor that its file has not",
       [](const Path& f) {
         TensorMap first = tensors_of(f / kFirst);
         first.erase("lm_head.weight");
         write_tensors(f / kFirst, first);
       },
       "tensor lm_head.weight is missing, the index places it there"},
      {"tensor that the model has not",
       [](const Path& f) {
         TensorMap first = tensors_of(f / kFirst);
         first.emplace("model.extra", Tensor::zeros({2}));
         write_tensors(f / kFirst, first);
         Json::Object map = read_map(f);
         map["model.extra"] = kFirst;
         write_index(f, map);
       },
       "22 tensors, expected 21"},
      {"folder above", placed("../model-00001-of-00003.safetensors"), "lm_head.weight"},
      {"folder below", placed("a/b.safetensors"), "lm_head.weight"},
      {"whole path", placed("/etc/model.safetensors"), "lm_head.weight"},
      {"hidden file", placed(".model.safetensors"), "lm_head.weight"},
      {"other kind of file", placed("pytorch_model.bin"), "lm_head.weight"},
      {"byte of zero", placed(std::string("a\0.safetensors", 14)), "lm_head.weight"},
      {"long name", placed(std::string(300, 'a') + ".safetensors"), "lm_head.weight"},
      {"number for a name", placed(1), "lm_head.weight"},
      {"empty map", [](const Path& f) { write_index(f, {}); }, "weight_map"},
      {"no map", [](const Path& f) { put(f / kIndex, "{}"); }, "weight_map"},
      {"list for a map", [](const Path& f) { put(f / kIndex, "{\"weight_map\": []}"); },
       "weight_map"},
      {"no JSON", [](const Path& f) { put(f / kIndex, "weight_map"); }, kIndex},
      {"no index", [](const Path& f) { std::filesystem::remove(f / kIndex); }, "model.safetensors",
       Code::kNotFound},
  };
  return all;
}

TEST(WeightFiles, LiesAreNamedAndLeaveNothing) {
  for (const Lie& lie : lies()) {
    const TempFolder root;
    const Path source = sharded_folder(root);
    lie.tell(source);
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
