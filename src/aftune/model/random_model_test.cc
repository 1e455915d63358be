// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "aftune/model/tiny_folder_testing.h"
#include "aftune/numerics/philox.h"

namespace aftune::model {
namespace {

using testing::get;
using testing::names_in;
using testing::TempFolder;
using testing::tiny_folder;

TEST(RandomModel, EqualArgumentsGiveEqualBytes) {
  const TempFolder root;
  const Path a = tiny_folder(root, "a", true, 5);
  const Path b = tiny_folder(root, "b", true, 5);
  const Path c = tiny_folder(root, "c", true, 6);
  for (const std::string& name : names_in(a)) EXPECT_EQ(get(a / name), get(b / name)) << name;
  EXPECT_NE(get(a / "model.safetensors"), get(c / "model.safetensors"));
  EXPECT_EQ(get(a / "aftune.safetensors"), get(c / "aftune.safetensors"));
}

TEST(RandomModel, ElementsAreThoseOfTheFormatPage) {
  const TempFolder root;
  const std::uint64_t seed = 0x123456789ABCDEF0;
  const auto model = open_model_folder(tiny_folder(root, "a", false, seed));
  ASSERT_TRUE(model) << model.error().what;
  const auto specs = parameter_specs(model->config);
  for (const std::uint32_t t : {0U, 1U, 3U}) {
    const auto values = model->parameters.find(specs[t].name)->f32();
    for (const std::uint32_t i : {0U, 1U, 7U}) {
      const auto w = numerics::philox4x32({i, 0, t, 0}, {0x9ABCDEF0, 0x12345678});
      const std::int64_t sum = std::int64_t{w[0] >> 8} + (w[1] >> 8) + (w[2] >> 8) + (w[3] >> 8);
      const double centred = static_cast<double>(sum - ((1 << 25) - 2));
      const float expected =
          specs[t].shape.size() == 1 ? 1.0F : static_cast<float>(centred * 0x1.1bc779ef0d4e8p-29);
      EXPECT_EQ(values[i], expected) << specs[t].name << " " << i;
    }
  }
}

TEST(RandomModel, WeightsHaveMeanZeroAndDeviationTwoHundredths) {
  const TempFolder root;
  LlamaConfig config = testing::tiny_folder_config(true);
  config.vocab_size = 2000;
  testing::put(root / "t", "{}");
  ASSERT_TRUE(make_random_model(config, 1, root / "t", root / "a"));
  const auto model = open_model_folder(root / "a");
  ASSERT_TRUE(model);
  double sum = 0;
  double squares = 0;
  const auto values = model->parameters.find("model.embed_tokens.weight")->f32();
  for (const float value : values) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const double n = static_cast<double>(values.size());
  EXPECT_NEAR(sum / n, 0, 0.001);
  EXPECT_NEAR(std::sqrt(squares / n), 0.02, 0.0005);
}

TEST(RandomModel, TokenizerIsCopiedUnchanged) {
  const TempFolder root;
  const Path folder = tiny_folder(root, "a", true);
  EXPECT_EQ(get(folder / "tokenizer.json"), get(root / "tokenizer-source"));
}

TEST(RandomModel, BadArgumentsLeaveNothing) {
  const TempFolder root;
  testing::put(root / "t", "{}");
  LlamaConfig config = testing::tiny_folder_config(true);
  EXPECT_FALSE(make_random_model(config, 1, root / "none", root / "a"));
  config.head_dim = 3;
  EXPECT_FALSE(make_random_model(config, 1, root / "t", root / "a"));
  EXPECT_EQ(names_in(root.path()), (std::vector<std::string>{"t"}));
}

}  // namespace
}  // namespace aftune::model
