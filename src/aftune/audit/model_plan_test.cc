// SPDX-License-Identifier: Apache-2.0
#include "aftune/audit/model_plan.h"

#include <gtest/gtest.h>

#include <functional>

#include "aftune/codec/json.h"

namespace aftune::audit {
namespace {

// What the published files say that decides shapes.
constexpr std::string_view kLlama31 = R"({
  "architectures": ["LlamaForCausalLM"], "attention_bias": false, "hidden_act": "silu",
  "hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 131072,
  "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 32,
  "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
  "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                   "original_max_position_embeddings": 8192, "rope_type": "llama3"},
  "rope_theta": 500000.0, "tie_word_embeddings": false, "vocab_size": 128256})";
constexpr std::string_view kQwen25 = R"({
  "architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu", "hidden_size": 5120,
  "intermediate_size": 13824, "max_position_embeddings": 131072, "max_window_layers": 48,
  "model_type": "qwen2", "num_attention_heads": 40, "num_hidden_layers": 48,
  "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
  "sliding_window": 131072, "tie_word_embeddings": false, "use_sliding_window": false,
  "vocab_size": 152064})";
constexpr std::string_view kQwen3 = R"({
  "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "head_dim": 128,
  "hidden_act": "silu", "hidden_size": 5120, "intermediate_size": 17408,
  "max_position_embeddings": 40960, "max_window_layers": 40, "model_type": "qwen3",
  "num_attention_heads": 40, "num_hidden_layers": 40, "num_key_value_heads": 8,
  "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null,
  "tie_word_embeddings": false, "use_sliding_window": false, "vocab_size": 151936})";
constexpr std::string_view kSmolLm2 = R"({
  "hidden_act": "silu", "hidden_size": 576, "intermediate_size": 1536,
  "max_position_embeddings": 8192, "model_type": "llama", "num_attention_heads": 9,
  "num_hidden_layers": 30, "num_key_value_heads": 3, "rms_norm_eps": 1e-05, "rope_theta": 100000,
  "tie_word_embeddings": true, "vocab_size": 49152})";

model::LlamaConfig config_of(std::string_view text) {
  const auto json = codec::parse_json(text, {});
  EXPECT_TRUE(json);
  const auto config = model::parse_hf_config(*json);
  EXPECT_TRUE(config) << config.error().what;
  return *config;
}

std::uint64_t elements_of(const std::vector<ParameterKind>& kinds) {
  std::uint64_t sum = 0;
  for (const ParameterKind& kind : kinds) sum += kind.elements;
  return sum;
}

std::uint64_t tensors_of(const std::vector<ParameterKind>& kinds) {
  std::uint64_t sum = 0;
  for (const ParameterKind& kind : kinds) sum += kind.tensors;
  return sum;
}

Shape shape_of(const std::vector<ParameterKind>& kinds, std::string_view name) {
  for (const ParameterKind& kind : kinds) {
    if (kind.name == name) return kind.shape;
  }
  return {};
}

TEST(ModelPlan, PublishedModelsHaveTheirPublishedCounts) {
  const struct {
    std::string_view file;
    std::uint64_t elements, tensors;
  } models[] = {{kLlama31, 8'030'261'248, 291},
                {kQwen25, 14'770'033'664, 579},
                {kQwen3, 14'768'307'200, 443},
                {kSmolLm2, 134'515'008, 272}};
  for (const auto& model : models) {
    const auto kinds = parameter_kinds(config_of(model.file));
    EXPECT_EQ(elements_of(kinds), model.elements);
    EXPECT_EQ(tensors_of(kinds), model.tensors);
  }
}

// Those of vit-large-patch16-224 and of dinov2-giant with a classifier of two classes.
constexpr std::string_view kVitLarge = R"({
  "hidden_act": "gelu", "hidden_size": 1024, "image_size": 224, "intermediate_size": 4096,
  "layer_norm_eps": 1e-12, "model_type": "vit", "num_attention_heads": 16, "num_channels": 3,
  "num_hidden_layers": 24, "patch_size": 16, "qkv_bias": true})";
constexpr std::string_view kDinov2Giant = R"({
  "hidden_act": "gelu", "hidden_size": 1536, "image_size": 518, "layer_norm_eps": 1e-06,
  "mlp_ratio": 4, "model_type": "dinov2", "num_attention_heads": 24, "num_channels": 3,
  "num_hidden_layers": 40, "patch_size": 14, "qkv_bias": true, "use_swiglu_ffn": true})";

TEST(ModelPlan, ImageClassifiersHaveTheirPublishedCountsAndShapes) {
  const auto vit = parameter_kinds(config_of(kVitLarge));
  EXPECT_EQ(elements_of(vit), 303'301'632U + 2 * 1024 + 2);  // the backbone, and two classes
  EXPECT_EQ(shape_of(vit, "vit.encoder.layer.N.intermediate.dense.weight"), (Shape{4096, 1024}));
  EXPECT_EQ(shape_of(vit, "vit.embeddings.position_embeddings"), (Shape{1, 197, 1024}));
  const auto giant = parameter_kinds(config_of(kDinov2Giant));
  EXPECT_EQ(elements_of(giant), 1'136'480'768U - 1536 + 2 * 3072 + 2);  // no mask token
  EXPECT_EQ(shape_of(giant, "dinov2.encoder.layer.N.mlp.weights_in.weight"), (Shape{8192, 1536}));
}

TEST(ModelPlan, AnImageHasItsTokensAndItsOneRowOfLogits) {
  ModelPlanJob job;
  job.architecture = config_of(kVitLarge);
  job.samples = job.micro_batch = 3;
  job.sequence = job.architecture.max_positions;
  const MemoryPlan memory = plan_memory(job);
  EXPECT_EQ(memory.logits, 3 * 2 * 4);
  EXPECT_EQ(memory.activations, 3 * 197 * (6 * 1024.0 + 4096) * 24 * 4);
  job.architecture = config_of(kDinov2Giant);
  job.sequence = job.architecture.max_positions;
  EXPECT_EQ(plan_memory(job).activations, 3 * 1370 * (8 * 1536.0 + 2 * 4096) * 40 * 4);
}

TEST(ModelPlan, PublishedModelsHaveTheirPublishedNamesAndShapes) {
  const auto llama = parameter_kinds(config_of(kLlama31));
  EXPECT_EQ(llama.size(), 12U);
  EXPECT_EQ(shape_of(llama, "lm_head.weight"), (Shape{128256, 4096}));
  EXPECT_EQ(shape_of(llama, "model.layers.N.self_attn.k_proj.weight"), (Shape{1024, 4096}));
  EXPECT_EQ(shape_of(llama, "model.layers.N.mlp.down_proj.weight"), (Shape{4096, 14336}));
  const auto qwen25 = parameter_kinds(config_of(kQwen25));
  EXPECT_EQ(qwen25.size(), 15U);
  EXPECT_EQ(shape_of(qwen25, "model.layers.N.self_attn.q_proj.bias"), (Shape{5120}));
  EXPECT_EQ(shape_of(qwen25, "model.layers.N.self_attn.v_proj.bias"), (Shape{1024}));
  EXPECT_EQ(shape_of(qwen25, "model.layers.N.self_attn.o_proj.bias"), Shape{});
  const auto qwen3 = parameter_kinds(config_of(kQwen3));
  EXPECT_EQ(qwen3.size(), 14U);
  EXPECT_EQ(shape_of(qwen3, "model.layers.N.self_attn.q_norm.weight"), (Shape{128}));
  EXPECT_EQ(shape_of(qwen3, "model.layers.N.self_attn.q_proj.weight"), (Shape{5120, 5120}));
}

/// SmolLM2 in the quickstart's grid.
ModelPlanJob job() {
  ModelPlanJob out;
  out.architecture = config_of(kSmolLm2);
  out.grid = {5, 4, 2, 1};
  out.steps = 24;
  out.samples = out.micro_batch = 4;
  out.sequence = 128;
  return out;
}

TEST(ModelPlan, MemoryIsThatOfTheMeasuredRuns) {
  // docs/performance.md: 2.62 GB without stored states, 2.72 GB with.
  const double total = plan_memory(job()).total();
  EXPECT_GT(total, 2.62e9 * 0.95);
  EXPECT_LT(total, 2.72e9 * 1.05);
}

ModelPlanJob lora_job() {
  ModelPlanJob out = job();
  out.lora = model::LoraSpec{8, 16, 0, false, {"q_proj", "v_proj"}, {}};
  return out;
}

TEST(ModelPlan, MemoryOfAdaptersIsThatOfTheMeasuredRun) {
  const MemoryPlan plan = plan_memory(lora_job());
  const double measured = 1.10e9;  // docs/performance.md
  EXPECT_GT(plan.total(), 0.85 * measured);
  EXPECT_LT(plan.total(), 1.15 * measured);
  // r (576 + 576) and r (576 + 192) values in each of 30 layers.
  const double trained = 30 * 8 * (2 * 576 + 576 + 192);
  EXPECT_EQ(plan.frozen, 134'515'008 * 4.0);
  EXPECT_EQ(plan.parameters, trained * 4);
  EXPECT_EQ(plan.gradients, trained * 4);
  EXPECT_EQ(plan.moments, trained * 8);
  EXPECT_EQ(plan.activations, plan_memory(job()).activations);
}

TEST(ModelPlan, SavedModulesAreTrainedAndNotFrozen) {
  ModelPlanJob saved = lora_job();
  saved.lora->modules_to_save = {"norm"};
  EXPECT_EQ(plan_memory(saved).frozen, plan_memory(lora_job()).frozen - 576 * 4);
  EXPECT_EQ(plan_memory(saved).parameters, plan_memory(lora_job()).parameters + 576 * 4);
  const auto kinds = trained_kinds(saved.architecture, *saved.lora);
  EXPECT_EQ(kinds.size(), 5U);
  EXPECT_EQ(shape_of(kinds, "base_model.model.model.layers.N.self_attn.v_proj.lora_B.weight"),
            (Shape{192, 8}));
}

TEST(ModelPlan, StorageOfAdaptersHasTheBaseOnce) {
  const StoragePlan plan = plan_storage(lora_job()), whole = plan_storage(job());
  EXPECT_EQ(plan.model, whole.model);
  EXPECT_EQ(plan.delivered, plan.state / 3);
  EXPECT_NEAR(plan.state, 30 * 8 * 1920 * 12.0, 1);
  EXPECT_EQ(plan.edges, whole.edges);
}

TEST(ModelPlan, StorageIsThatOfTheMeasuredRuns) {
  const StoragePlan plan = plan_storage(job());
  EXPECT_EQ(plan.states, 2U);
  EXPECT_EQ(plan.stored_edges, 6U);
  EXPECT_NEAR(plan.state, 1.614e9, 1e6);
  EXPECT_NEAR(plan.edges, 14.16e6, 1e4);
  EXPECT_NEAR(plan.total(), 2 * 0.538e9 + 2 * 1.614e9 + 24 * 14.16e6, 5e6);
}

TEST(ModelPlan, EverythingCounts) {
  const struct {
    const char* name;
    std::function<void(ModelPlanJob&)> change;
    double memory, state, edges;  // by how much
  } cases[] = {
      {"half a micro-batch", [](auto& j) { j.micro_batch = 2; }, -(353.9e6 + 100.7e6) / 2, 0, 0},
      {"micro-batch above the batch", [](auto& j) { j.micro_batch = 9; }, 0, 0, 0},
      {"twice the samples", [](auto& j) { j.samples = 8; }, 0, 0, 14.16e6},
      {"twice the sequence", [](auto& j) { j.sequence = 256; }, 353.9e6 + 100.7e6, 0, 14.16e6},
      {"no momentum", [](auto& j) { j.optimizer.kind = train::OptimizerKind::kSgd; }, -1076.1e6,
       -1076.1e6, 0},
      {"momentum",
       [](auto& j) {
         j.optimizer.kind = train::OptimizerKind::kSgd;
         j.optimizer.momentum = 0.9;
       },
       -538.1e6, -538.1e6, 0},
      {"narrow moments", [](auto& j) { j.dtypes.moments = Dtype::kBF16; }, -538.1e6, -538.1e6, 0},
      {"narrow gradients", [](auto& j) { j.dtypes.gradients = Dtype::kBF16; }, -269.0e6, 0, 0},
      {"narrow edges", [](auto& j) { j.dtypes.boundary = Dtype::kBF16; }, 0, 0, -7.08e6},
      {"every second edge", [](auto& j) { j.grid.edge_interval = 2; }, 0, 0, -14.16e6 / 2},
  };
  const double memory = plan_memory(job()).total();
  const StoragePlan storage = plan_storage(job());
  for (const auto& c : cases) {
    ModelPlanJob changed = job();
    c.change(changed);
    EXPECT_NEAR(plan_memory(changed).total() - memory, c.memory, 1e6) << c.name;
    EXPECT_NEAR(plan_storage(changed).state - storage.state, c.state, 1e6) << c.name;
    EXPECT_NEAR(plan_storage(changed).edges - storage.edges, c.edges, 1e5) << c.name;
  }
}

TEST(ModelPlan, ANarrowBaseOfLlamasEightBillionFitsIntoItsFile) {
  ModelPlanJob lora = job();
  lora.architecture = config_of(kLlama31);
  lora.lora = model::LoraSpec{16, 32, 0, false, model::linear_modules(lora.architecture), {}};
  lora.dtypes.frozen = Dtype::kBF16;
  EXPECT_EQ(plan_memory(lora).frozen, 2.0 * 8030261248);
  EXPECT_EQ(plan_storage(lora).model, 2.0 * 8030261248);
}

TEST(ModelPlan, StatesAreCountedAsARunStoresThem) {
  const struct {
    std::uint64_t steps, steps_per_block, interval, states;
  } cases[] = {{1, 1, 1, 0},  {2, 1, 1, 1},  {24, 4, 2, 2},
               {24, 4, 6, 0}, {24, 4, 5, 1}, {25, 4, 6, 1}};
  for (const auto& c : cases) {
    ModelPlanJob j = job();
    j.steps = c.steps;
    j.grid.steps_per_block = c.steps_per_block;
    j.grid.state_interval = c.interval;
    EXPECT_EQ(plan_storage(j).states, c.states) << c.steps << " " << c.interval;
  }
}

}  // namespace
}  // namespace aftune::audit
