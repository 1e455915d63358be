// SPDX-License-Identifier: Apache-2.0
#include "aftune/model/peft_names.h"

#include <gtest/gtest.h>

#include <set>

#include "aftune/model/tiny_vision_testing.h"

namespace aftune::model {
namespace {

TEST(PeftNames, AreThoseOfTransformersModules) {
  const std::pair<const char*, const char*> names[] = {
      {"vit.encoder.layer.10.attention.attention.query.weight",
       "vit.layers.10.attention.q_proj.weight"},
      {"vit.encoder.layer.0.attention.attention.key.bias", "vit.layers.0.attention.k_proj.bias"},
      {"vit.encoder.layer.0.attention.output.dense.weight", "vit.layers.0.attention.o_proj.weight"},
      {"vit.encoder.layer.0.intermediate.dense.weight", "vit.layers.0.mlp.fc1.weight"},
      {"vit.encoder.layer.0.output.dense.bias", "vit.layers.0.mlp.fc2.bias"},
      {"vit.encoder.layer.3.layernorm_before.weight", "vit.layers.3.layernorm_before.weight"},
      {"vit.layernorm.weight", "vit.layernorm.weight"},
      {"vit.embeddings.cls_token", "vit.embeddings.cls_token"},
      {"dinov2.encoder.layer.1.attention.attention.value.weight",
       "dinov2.encoder.layer.1.attention.v_proj.weight"},
      {"dinov2.encoder.layer.1.mlp.fc1.weight", "dinov2.encoder.layer.1.mlp.fc1.weight"},
      {"dinov2.encoder.layer.1.mlp.weights_out.weight",
       "dinov2.encoder.layer.1.mlp.down_proj.weight"},
      {"dinov2.encoder.layer.1.layer_scale1.lambda1",
       "dinov2.encoder.layer.1.layer_scale1.lambda1"},
      {"classifier.bias", "classifier.bias"},
      {"model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.q_proj.weight"},
  };
  for (const auto& [file, peft] : names) {
    EXPECT_EQ(in_peft(file), peft);
    EXPECT_EQ(from_peft(peft), file);
  }
}

TEST(PeftNames, GoBothWaysForEveryParameter) {
  for (const auto& [label, config] : testing::tiny_visions(2)) {
    std::set<std::string> all;
    for (const TensorSpec& spec : parameter_specs(config)) {
      EXPECT_EQ(from_peft(in_peft(spec.name)), spec.name) << label;
      EXPECT_TRUE(all.insert(in_peft(spec.name)).second) << label << " " << spec.name;
    }
  }
}

TEST(PeftNames, StrangeOnesStayAsTheyAre) {
  for (const char* name : {"", "vit.encoder.layer.", "vit.encoder.layer.0", "vit.encoder.layer.0.x",
                           "dinov2.encoder.layer.0..", "attention.attention.query.weight"}) {
    EXPECT_NO_FATAL_FAILURE((void)in_peft(name)) << name;
    EXPECT_NO_FATAL_FAILURE((void)from_peft(name)) << name;
  }
}

TEST(PeftNames, OneModuleAWeightButTwoForSwiglusFirstLayer) {
  const auto one = peft_modules("vit.encoder.layer.0.intermediate.dense.weight", 20);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].weight, "vit.layers.0.mlp.fc1.weight");
  EXPECT_FALSE(one[0].half);
  const auto two = peft_modules("dinov2.encoder.layer.4.mlp.weights_in.weight", 40);
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].weight, "dinov2.encoder.layer.4.mlp.gate_proj.weight");
  EXPECT_EQ(two[1].weight, "dinov2.encoder.layer.4.mlp.up_proj.weight");
  EXPECT_EQ(two[0].first_row, 0U);
  EXPECT_EQ(two[1].first_row, 20U);
  EXPECT_TRUE(two[0].half && two[1].half);
}

}  // namespace
}  // namespace aftune::model
