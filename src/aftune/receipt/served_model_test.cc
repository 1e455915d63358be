// SPDX-License-Identifier: Apache-2.0
#include "aftune/receipt/served_model.h"

#include <gtest/gtest.h>

#include "aftune/receipt/tiny_served_testing.h"
#include "aftune/trace/model_root.h"

namespace aftune::receipt {
namespace {

using model::testing::TempFolder;
using testing::make_tiny_model;
using testing::TinyModel;

TEST(ServedModel, ReadsWhatTheFolderSays) {
  const TempFolder root;
  const auto model = open_served_model(make_tiny_model(root, "m"));
  ASSERT_TRUE(model) << model.error().what;
  EXPECT_EQ(model->chat, ChatTemplate::kChatml);
  EXPECT_EQ(model->eos, std::vector<std::int32_t>{257});
  EXPECT_EQ(model->companions.size(), 5U);
  EXPECT_EQ(model->companions.front().path, "aftune.safetensors");
}

TEST(ServedModel, TakesTheEndsOfATextFromWhereThePageSays) {
  const TempFolder root;
  int number = 0;
  const auto eos = [&](const char* config) {
    TinyModel tiny;
    tiny.generation_config = config;
    const std::string name = "m" + std::to_string(number++);
    return open_served_model(make_tiny_model(root, name.c_str(), tiny));
  };
  EXPECT_EQ(eos(R"({"eos_token_id":[257,3,257]})")->eos, (std::vector<std::int32_t>{3, 257}));
  EXPECT_TRUE(eos(R"({"eos_token_id":null})")->eos.empty());
  EXPECT_TRUE(eos("{}")->eos.empty());  // config.json of the tiny model has none either
  EXPECT_FALSE(eos(R"({"eos_token_id":258})"));
  EXPECT_FALSE(eos(R"({"eos_token_id":"</s>"})"));
  EXPECT_FALSE(eos("{"));
}

TEST(ServedModel, RootBindsWeightsTablesAndSalt) {
  const TempFolder root;
  const auto one = testing::must(open_served_model(make_tiny_model(root, "one")));
  TinyModel other;
  other.change = [](TensorMap& parameters) {
    parameters.find("model.layers.4.mlp.up_proj.weight")->second.f32().back() += 0x1p-20F;
  };
  const auto two = testing::must(open_served_model(make_tiny_model(root, "two", other)));
  ThreadPool pool(1);
  EXPECT_NE(root_of(one, std::nullopt, pool), root_of(two, std::nullopt, pool));
  EXPECT_NE(root_of(one, std::nullopt, pool), root_of(one, Digest(), pool));
  EXPECT_EQ(root_of(one, std::nullopt, pool),
            trace::model_root(rooted_tensors(one, pool), std::nullopt));
  EXPECT_TRUE(rooted_tensors(one, pool).contains(model::kInvFreqName));
}

TEST(ServedModel, RefusesAFolderWithoutATokenizer) {
  const TempFolder root;
  const Path folder = make_tiny_model(root, "m");
  ASSERT_TRUE(write_file(folder / "tokenizer.json", as_bytes("{}")));
  const auto model = open_served_model(folder);
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().what.find("tokenizer.json"), std::string::npos) << model.error().what;
}

TEST(ServedModel, RefusesATokenizerWhoseTextsCannotBeJoined) {
  const TempFolder root;
  const Path folder = make_tiny_model(root, "m");
  const auto marked = read_text_file(
      Path(AFTUNE_SOURCE_DIR) / "tests/golden/tokenizer/llama2.tokenizer.json", 1 << 20);
  ASSERT_TRUE(marked) << marked.error().what;
  ASSERT_TRUE(write_file(folder / "tokenizer.json", as_bytes(*marked)));
  const auto model = open_served_model(folder);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::kUnsupported);
  EXPECT_NE(model.error().what.find("ByteFallback"), std::string::npos) << model.error().what;
}

}  // namespace
}  // namespace aftune::receipt
