// SPDX-License-Identifier: Apache-2.0
#include "aftune/cli/model_plan.h"

#include <gtest/gtest.h>

#include <functional>

#include "aftune/trace/tiny_job_testing.h"

namespace aftune::cli {
namespace {

using trace::testing::must;
using trace::testing::put;
using trace::testing::TempFolder;

class ModelPlanPageTest : public ::testing::Test {
 protected:
  ModelPlanPageTest() {
    put(folder_ / "config.json",
        codec::pretty_json(model::to_hf_config(trace::testing::tiny_architecture())));
    args_.model = (folder_ / "config.json").string();
    args_.sequence = 8;
  }
  TempFolder folder_;
  ModelPlanArgs args_;
};

TEST_F(ModelPlanPageTest, AFolderStandsForItsConfig) {
  const ModelPlanPage file = must(plan_model(args_));
  args_.model = folder_.path().string();
  EXPECT_EQ(must(plan_model(args_)).text, file.text);
}

TEST_F(ModelPlanPageTest, SaysTheSameInTextAndJson) {
  args_.steps = 20;
  args_.samples = 3;
  args_.micro_batch = 1;
  const ModelPlanPage page = must(plan_model(args_));
  // 7 x 8 embedding, norm of 8, three layers of 8 x 8 (q), 2 of 4 x 8, 8 x 8, 3 of 12 x 8, 2 norms.
  const std::int64_t elements = 56 + 8 + 3 * (64 + 64 + 64 + 288 + 16);
  EXPECT_EQ(*page.json.find("elements"), codec::Json(elements));
  EXPECT_EQ(*page.json.find("tensors"), codec::Json(29));
  EXPECT_NE(page.text.find(std::to_string(elements)), std::string::npos) << page.text;
  EXPECT_NE(page.text.find("model.layers.N.mlp.down_proj.weight"), std::string::npos);
  EXPECT_NE(page.text.find("1 of 3 samples of 8 tokens"), std::string::npos) << page.text;
  EXPECT_EQ(*page.json.find("memory")->find("moments"), codec::Json(std::to_string(elements * 8)));
  // One tied head: blocks of four layers leave one edge.
  EXPECT_EQ(*page.json.find("storage")->find("step"), codec::Json("1536"));
  EXPECT_EQ(*page.json.find("storage")->find("states"), codec::Json(2));
}

TEST_F(ModelPlanPageTest, WithoutStepsThereIsNoSum) {
  const ModelPlanPage page = must(plan_model(args_));
  EXPECT_EQ(page.json.find("storage")->find("all"), nullptr);
  EXPECT_NE(page.text.find("--steps gives the sum"), std::string::npos);
}

TEST_F(ModelPlanPageTest, DtypesAndOptimizersAreTaken) {
  const auto moments = [&] {
    const auto bytes = *must(plan_model(args_)).json.find("memory")->find("moments");
    return std::stoll(*bytes.string());
  };
  const auto wide = moments();
  args_.dtypes = {"moments=BF16"};
  EXPECT_EQ(moments() * 2, wide);
  args_.optimizer = "momentum";
  EXPECT_EQ(moments() * 4, wide);
  args_.optimizer = "sgd";
  EXPECT_EQ(moments(), 0);
}

TEST_F(ModelPlanPageTest, AdaptersAreTrainedBesideAFrozenBase) {
  const std::int64_t base = (56 + 8 + 3 * (64 + 64 + 64 + 288 + 16)) * 4;
  args_.lora_r = 2;
  ModelPlanPage page = must(plan_model(args_));
  EXPECT_EQ(*page.json.find("memory")->find("frozen"), codec::Json(std::to_string(base)));
  // q: 2 x 8 and 8 x 2; v: 2 x 8 and 4 x 2.
  EXPECT_EQ(*page.json.find("memory")->find("gradients"),
            codec::Json(std::to_string(3 * (16 + 16 + 16 + 8) * 4)));
  EXPECT_NE(page.text.find("self_attn.q_proj.lora_A.weight"), std::string::npos) << page.text;
  EXPECT_NE(page.text.find("frozen"), std::string::npos);
  args_.target_modules = {"all-linear"};
  page = must(plan_model(args_));
  EXPECT_NE(page.text.find("mlp.down_proj.lora_B.weight"), std::string::npos) << page.text;
}

TEST_F(ModelPlanPageTest, WrongValuesAreNamed) {
  const struct {
    std::function<void(ModelPlanArgs&)> tell;
    std::string what;
  } lies[] = {
      {[](auto& a) { a.sequence = 17; }, "--sequence is 17, the model has 16 positions"},
      {[](auto& a) { a.optimizer = "adam"; }, "--optimizer: \"adam\""},
      {[](auto& a) { a.dtypes = {"moments"}; }, "--dtype: \"moments\""},
      {[](auto& a) { a.dtypes = {"moments=F16"}; }, "--dtype: \"moments=F16\""},
      {[](auto& a) { a.dtypes = {"=F32"}; }, "--dtype: \"=F32\""},
      {[](auto& a) {
         a.dtypes = {"parameters=BF16", "weights=F32"};
       },
       "--dtype: \"weights=F32\""},
      {[](auto& a) { a.dtypes = {"frozen=BF16"}; }, "without --lora-r nothing is frozen"},
      {[](auto& a) { a.model += ".none"; }, "config.json.none"},
      {[](auto& a) {
         a.lora_r = 2;
         a.target_modules = {"router"};
       },
       "--lora-r: target_modules: \"router\" is none of"},
      {[](auto& a) { a.lora_r = 1 << 16; }, "--lora-r: rank"},
  };
  for (const auto& lie : lies) {
    ModelPlanArgs args = args_;
    lie.tell(args);
    const auto got = plan_model(args);
    ASSERT_FALSE(got) << lie.what;
    EXPECT_NE(got.error().what.find(lie.what), std::string::npos) << got.error().what;
  }
}

}  // namespace
}  // namespace aftune::cli
