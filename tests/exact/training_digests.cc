// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "aftune/base/check.h"
#include "aftune/model/tiny_vision_testing.h"
#include "aftune/train/step.h"
#include "exact/digest_line.h"
#include "exact/digests.h"

namespace aftune::exact {
namespace {

using numerics::Engine;

struct Job {
  std::string name;
  model::LlamaConfig config;
  std::uint32_t layers_per_block;
  std::size_t sequence;
  std::uint64_t steps;
  train::TrainSpec spec;
};

model::LlamaConfig config(std::uint32_t hidden, std::uint32_t inner, std::uint32_t layers,
                          std::uint32_t heads, std::uint32_t kv_heads, std::uint32_t head_dim,
                          bool tied) {
  return {.vocab_size = 131,
          .hidden_size = hidden,
          .intermediate_size = inner,
          .layer_count = layers,
          .head_count = heads,
          .kv_head_count = kv_heads,
          .head_dim = head_dim,
          .max_positions = 512,
          .rms_norm_eps = 1e-5F,
          .rope_theta = 10000,
          .tied_embeddings = tied};
}

/// Of images of 16 patches; wider inside than a block of x16.
model::LlamaConfig images(model::Family family) {
  const bool vit = family == model::Family::kVit;
  model::LlamaConfig out = model::testing::tiny_vision_config(family, 2, !vit);
  out.hidden_size = 66;
  out.intermediate_size = 270;
  out.vision->image_size = 12;
  out.vision->mlp_ratio = vit ? 0 : 4;
  model::derive_vision_members(out);
  return out;
}

std::vector<Job> jobs() {
  const train::OptimizerSpec adamw{train::OptimizerKind::kAdamW, 0.9, 0.999, 1e-8, 0, 0.01};
  const train::OptimizerSpec sgd{train::OptimizerKind::kSgd, 0, 0, 0, 0.9, 0.001};
  const train::ScheduleSpec cosine{train::ScheduleKind::kWarmupCosine, 1e-2, 1, 8};
  const train::ScheduleSpec constant{train::ScheduleKind::kConstant, 1e-2, 0, 8};
  return {
      {"tied_grouped_adamw", config(60, 92, 3, 6, 2, 10, true), 2, 33, 4, {adamw, cosine, {0.5}}},
      // Wider than a block of x16, and more positions than a block of keys.
      {"untied_wide_adamw", config(264, 270, 2, 4, 4, 66, false), 1, 20, 2, {adamw, cosine, {1}}},
      {"untied_long_sgd", config(12, 20, 2, 4, 1, 4, false), 1, 270, 2, {sgd, constant, {0}}},
      {"vit_adamw", images(model::Family::kVit), 1, 0, 2, {adamw, cosine, {0.5}}},
      {"dinov2_swiglu_sgd", images(model::Family::kDinov2), 1, 0, 2, {sgd, constant, {0}}}};
}

/// Digests every hand-over of a step in the order in which they come.
class EdgeDigests final : public train::StepObserver {
 public:
  explicit EdgeDigests(std::string name) : line_(std::move(name)) {}
  Status on_edge(const train::EdgeId&, train::EdgeTensor tensor) override {
    line_.take(tensor->f32());
    return ok();
  }
  Status before_update(std::uint32_t block) override {
    line_.take(block);
    return ok();
  }

 private:
  DigestLine line_;
};

std::vector<model::MicroBatch> batches(const Job& job, std::uint64_t step) {
  const auto seed = static_cast<std::uint32_t>(100 + 2 * step);
  std::vector<model::MicroBatch> pair;
  for (const std::uint32_t rows : {2U, 1U}) {
    const std::uint32_t own = seed + 2 - rows;
    pair.push_back(job.config.vision
                       ? model::testing::random_images(job.config, rows, own)
                       : model::testing::random_batch(job.config, rows, job.sequence, own));
  }
  const std::uint64_t counted = pair[0].counted + pair[1].counted;
  for (model::MicroBatch& batch : pair) batch.counted = counted;
  return pair;
}

void take(const train::StepOutcome& outcome, DigestLine& line) {
  line.take(outcome.losses);
  for (const auto& [name, square] : outcome.squares) line.take(square);
  line.take(outcome.norm);
  line.take(outcome.clip);
  line.take(outcome.learning_rate);
}

void run(const Engine& engine, const Job& job) {
  const bool vision = job.config.vision.has_value();
  const model::Llama llama =
      vision ? model::testing::make_vision(job.config) : model::testing::make_llama(job.config);
  const model::Partition partition = model::make_partition(job.config, job.layers_per_block);
  TensorMap all = vision ? model::testing::random_vision_parameters(job.config, 21)
                         : model::testing::random_parameters(job.config, 21);
  std::vector<train::BlockState> states(partition.block_count);
  std::vector<train::BlockStep> blocks;
  for (std::uint32_t b = 0; b < partition.block_count; ++b) {
    TensorMap own;
    for (const auto& spec : model::block_parameters(job.config, partition, b)) {
      own.insert(all.extract(spec.name));
    }
    states[b] = train::initial_state(job.spec.optimizer, std::move(own));
    blocks.emplace_back(engine, llama, partition, b, states[b]);
  }
  for (std::uint64_t step = 0; step < job.steps; ++step) {
    const std::string name = "training." + job.name + ".step" + std::to_string(step);
    EdgeDigests edges(name + ".edges");
    const auto outcome =
        train::run_step(job.spec, step, partition, batches(job, step), blocks, edges);
    AFTUNE_CHECK(outcome.has_value(), outcome ? "" : outcome.error().what);
    DigestLine scalars(name + ".loss_and_norm");
    take(*outcome, scalars);
    DigestLine gradients(name + ".gradients"), state(name + ".state");
    for (const train::BlockStep& block : blocks) {
      for (const auto& [key, tensor] : block.gradients()) gradients.take(tensor.f32());
      for (const TensorMap* part :
           {&block.state().parameters, &block.state().first, &block.state().second}) {
        for (const auto& [key, tensor] : *part) state.take(tensor.f32());
      }
    }
  }
}

}  // namespace

void training_digests(const Engine& engine) {
  for (const Job& job : jobs()) run(engine, job);
}

}  // namespace aftune::exact
