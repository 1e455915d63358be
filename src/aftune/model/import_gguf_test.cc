// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "aftune/model/gguf_testing.h"
#include "aftune/model/tiny_folder_testing.h"

namespace aftune::model {
namespace {

using testing::get;
using testing::GgufText;
using testing::names_in;
using testing::put;
using testing::TempFolder;
using testing::tiny_gguf;

TEST(ImportGguf, MakesAModelFolder) {
  const TempFolder root;
  put(root / "m.gguf", tiny_gguf().bytes());
  const Status status = import_gguf(root / "m.gguf", root / "out");
  ASSERT_TRUE(status) << status.error().what;
  EXPECT_EQ(
      names_in(root / "out"),
      (std::vector<std::string>{"aftune.safetensors", "config.json", "generation_config.json",
                                "model.safetensors", "tokenizer.json", "tokenizer_config.json"}));
  const auto model = open_model_folder(root / "out");
  ASSERT_TRUE(model) << model.error().what;
  EXPECT_EQ(model->config.vocab_size, 5U);
  EXPECT_EQ(model->parameters.find("model.norm.weight")->f32()[7], 639.0F);
  const auto generation = codec::parse_json(get(root / "out/generation_config.json"), {});
  ASSERT_TRUE(generation);
  EXPECT_EQ(*generation, codec::Json(codec::Json::Object{{"eos_token_id", 0}}));
}

TEST(ImportGguf, SameFileGivesTheSameBytes) {
  const TempFolder root;
  put(root / "m.gguf", tiny_gguf().bytes());
  ASSERT_TRUE(import_gguf(root / "m.gguf", root / "a"));
  ASSERT_TRUE(import_gguf(root / "m.gguf", root / "b"));
  for (const std::string& name : names_in(root / "a")) {
    EXPECT_EQ(get(root / "a" / name), get(root / "b" / name)) << name;
  }
}

TEST(ImportGguf, ErrorNamesTheCauseAndLeavesNothing) {
  const TempFolder root;
  GgufText infinite = tiny_gguf();
  infinite.tensor("output_norm.weight").data =
      testing::floats(std::vector<float>(8, std::numeric_limits<float>::infinity()));
  GgufText unknown = tiny_gguf();
  unknown.set_u32("llama.new_thing", 1);
  GgufText tokenizer = tiny_gguf();
  tokenizer.set_text("tokenizer.ggml.model", "t5");
  const std::pair<std::string, std::string> cases[] = {
      {infinite.bytes(), "tensor model.norm.weight: element 0 is inf"},
      {unknown.bytes(), "unknown key llama.new_thing"},
      {tokenizer.bytes(), "tokenizer.ggml.model is \"t5\""},
      {tiny_gguf().bytes().substr(0, 3000), "data has"},
      {"", "4 bytes wanted, 0 left"}};
  for (const auto& [bytes, what] : cases) {
    put(root / "m.gguf", bytes);
    const Status status = import_gguf(root / "m.gguf", root / "out");
    ASSERT_FALSE(status) << what;
    EXPECT_NE(status.error().what.find(what), std::string::npos) << status.error().what;
    EXPECT_FALSE(std::filesystem::exists(root / "out")) << what;
  }
}

TEST(ImportGguf, FolderWithContentIsNeverTouched) {
  const TempFolder root;
  put(root / "m.gguf", tiny_gguf().bytes());
  const Status status = import_gguf(root / "m.gguf", root.path());
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().what.find("is not empty"), std::string::npos);
  EXPECT_EQ(names_in(root.path()), (std::vector<std::string>{"m.gguf"}));
}

TEST(ImportGguf, ReadsTheRealSmolLM2) {
  const char* path = std::getenv("AFTUNE_SMOLLM2_GGUF");
  if (path == nullptr) GTEST_SKIP() << "AFTUNE_SMOLLM2_GGUF does not name SmolLM2's GGUF file";
  const TempFolder root;
  const Status status = import_gguf(path, root / "out");
  ASSERT_TRUE(status) << status.error().what;
  const auto model = open_model_folder(root / "out");
  ASSERT_TRUE(model) << model.error().what;
  const LlamaConfig expected = {.vocab_size = 49152,
                                .hidden_size = 576,
                                .intermediate_size = 1536,
                                .layer_count = 30,
                                .head_count = 9,
                                .kv_head_count = 3,
                                .head_dim = 64,
                                .max_positions = 8192,
                                .rms_norm_eps = 1e-5F,
                                .rope_theta = 100000,
                                .tied_embeddings = true};
  EXPECT_EQ(model->config, expected);
  EXPECT_EQ(model->parameters.tensors().size(), 272U);
}

}  // namespace
}  // namespace aftune::model
