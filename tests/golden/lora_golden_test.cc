// SPDX-License-Identifier: Apache-2.0
// Adapters against PEFT in PyTorch, fp64: a small random Llama and image classifiers, made by
// make_lora_golden.py and make_vision_lora_golden.py.
#include <gtest/gtest.h>

#include "aftune/base/must_testing.h"
#include "aftune/codec/json.h"
#include "aftune/model/adapter_folder.h"
#include "aftune/model/import.h"
#include "aftune/model/temp_folder_testing.h"
#include "aftune/train/no_observer.h"
#include "golden/parity_run.h"

namespace aftune::golden {
namespace {

Path golden_folder(const std::string& name) {
  return Path(AFTUNE_SOURCE_DIR) / "tests/golden" / name;
}

codec::Json read_json(const Path& path) {
  return must(codec::parse_json(must(read_text_file(path, 1U << 20)), {}));
}

TensorMap read_tensors(const SafetensorsFile& file) {
  TensorMap out;
  for (const auto& [name, view] : file.tensors()) out.emplace(name, must(to_f32(view)));
  return out;
}

using Steps = std::vector<std::vector<model::MicroBatch>>;

/// Three steps from the adapter that PEFT wrote.
struct Trained {
  Trained(const Path& base_folder, const Path& from) : folder(from) {
    const model::testing::TempFolder root;
    if (base_folder.parent_path().filename() == "vision") {
      must(model::import_hf(base_folder, root / "imported"));
      Model model = must(load_model(root / "imported"));
      config = model.llama.config;
      table = std::move(model.llama.inv_freq);
      base = std::move(model.parameters);
    } else {
      config = must(model::parse_hf_config(read_json(base_folder / "config.json")));
      table = model::make_inv_freq(config);
      base = read_tensors(must(SafetensorsFile::open(base_folder / "model.safetensors")));
    }
    adapter = must(model::open_adapter_folder(folder / "adapter", config));
    golden = read_json(folder / "golden.json");
  }

  Steps steps() const {
    const auto expected = must(SafetensorsFile::open(folder / "expected.safetensors"));
    if (config.vision) return must(read_image_steps(expected, config, 100));
    const Batches batches = must(read_batches(expected));
    Steps out;
    for (std::size_t step = 0; step < batches.tokens.size(); ++step) {
      out.push_back({batch_of(batches, step)});
    }
    return out;
  }

  Outcome run(const numerics::Engine& engine, std::uint32_t layers_per_block) const {
    const Job job = must(read_job(golden));
    const model::Llama llama{config, table.clone(), adapter.lora, {}};
    const auto partition = model::make_partition(config, layers_per_block);
    std::vector<train::BlockState> states = first_states(job, partition);
    std::vector<train::BlockStep> blocks;
    for (std::uint32_t block = 0; block < states.size(); ++block) {
      blocks.emplace_back(engine, llama, partition, block, states[block]);
    }
    Outcome out;
    train::NoObserver nobody;
    const Steps all = steps();
    for (std::size_t step = 0; step < all.size(); ++step) {
      if (step == 0) out.logits = logits_of(engine, llama, all.front().front());
      const auto done = must(train::run_step(job.spec, step, partition, all[step], blocks, nobody));
      out.losses.push_back(done.loss());
      if (step > 0) continue;
      for (const auto& block : blocks) {
        for (const auto& [name, tensor] : block.gradients()) {
          out.gradients.emplace(name, tensor.clone());
        }
      }
    }
    for (auto& state : states) out.parameters.merge(state.parameters);
    return out;
  }

  Tensor logits_of(const numerics::Engine& engine, const model::Llama& llama,
                   const model::MicroBatch& batch) const {
    TensorMap frozen;
    for (const auto& spec : model::frozen_specs(config, adapter.lora)) {
      frozen.emplace(spec.name, base.find(spec.name)->second.clone());
    }
    return must(model::forward_logits(engine, llama, {adapter.tensors, &frozen}, batch));
  }

  std::vector<train::BlockState> first_states(const Job& job,
                                              const model::Partition& partition) const {
    std::vector<train::BlockState> states;
    for (std::uint32_t block = 0; block < partition.block_count; ++block) {
      TensorMap own;
      for (const auto& spec :
           model::of_block(model::trained_specs(config, adapter.lora), partition, block)) {
        own.emplace(spec.name, adapter.tensors.find(spec.name)->second.clone());
      }
      auto frozen = std::make_shared<TensorMap>();
      for (const auto& spec :
           model::of_block(model::frozen_specs(config, adapter.lora), partition, block)) {
        frozen->emplace(spec.name, base.find(spec.name)->second.clone());
      }
      states.push_back(train::initial_state(job.spec.optimizer, std::move(own)));
      states.back().frozen = std::move(frozen);
    }
    return states;
  }

  static model::MicroBatch batch_of(const Batches& batches, std::size_t step) {
    model::MicroBatch out{batches.rows, batches.sequence, batches.tokens[step],
                          batches.targets[step], 0};
    for (const auto target : out.targets) out.counted += target >= 0;
    return out;
  }

  Path folder;
  model::LlamaConfig config;
  Tensor table;
  TensorMap base;
  model::AdapterFolder adapter;
  codec::Json golden;
};

/// An adapter and its base.
struct Place {
  const char* name;
  const char* base;
};

/// Every linear layer and saved modules, or the head among others; every linear layer of image
/// classifiers.
class LoraGolden : public ::testing::TestWithParam<Place> {
 protected:
  /// The error that bf16 has of this, times `share`.
  [[nodiscard]] double bound(const char* what, double share) const {
    return share * *trained_.golden.find("errors")->find("bf16")->find(what)->real();
  }
  Tensor expected(const std::string& name) const { return must(to_f32(*file_.find(name))); }
  const Trained trained_{golden_folder(GetParam().base), golden_folder(GetParam().name)};
  const SafetensorsFile file_ =
      must(SafetensorsFile::open(trained_.folder / "expected.safetensors"));
};
INSTANTIATE_TEST_SUITE_P(
    Folders, LoraGolden,
    ::testing::Values(Place{"lora", "lora/base"}, Place{"lora_head", "lora/base"},
                      Place{"vision_lora/vit", "vision/vit"},
                      Place{"vision_lora/dinov2_swiglu", "vision/dinov2_swiglu"}),
    [](const auto& p) { return Path(p.param.name).filename().string(); });

TEST_P(LoraGolden, LogitsLossesGradientsAndStepsAreCloserThanBf16) {
  ThreadPool pool(1);
  const auto engine = must(numerics::Engine::create(std::nullopt, pool));
  const Outcome out = trained_.run(engine, 1);
  Distance logits, gradients, parameters;
  logits.add(out.logits.f32(), expected("logits").f32());
  ASSERT_EQ(out.gradients.size(), trained_.adapter.tensors.size());
  for (const auto& [name, start] : trained_.adapter.tensors) {
    gradients.add(out.gradients.find(name)->second.f32(), expected("gradients." + name).f32());
    parameters.add(out.parameters.find(name)->second.f32(), expected("parameters." + name).f32(),
                   start.f32());
  }
  RecordProperty("logits", std::to_string(logits.relative()));
  RecordProperty("gradients", std::to_string(gradients.relative()));
  RecordProperty("parameters", std::to_string(parameters.relative()));
  EXPECT_LT(logits.relative(), bound("logits", 0.1));
  EXPECT_LT(gradients.relative(), bound("gradients", 0.1));
  EXPECT_LT(parameters.relative(), bound("parameters", 0.2));
  const auto& losses = *trained_.golden.find("losses")->array();
  ASSERT_EQ(out.losses.size(), losses.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(out.losses[i], *losses[i].real(), 1e-3 * *losses[i].real()) << i;
  }
}

TEST_P(LoraGolden, BitsAreEqualOverKernelsThreadsAndBlocks) {
  ThreadPool one(1);
  const Outcome reference =
      trained_.run(must(numerics::Engine::create(numerics::Isa::kScalar, one)), 1);
  for (const numerics::Isa isa : numerics::available_isas()) {
    ThreadPool pool(3);
    const Outcome out = trained_.run(must(numerics::Engine::create(isa, pool)), 2);
    EXPECT_EQ(out.losses, reference.losses);
    for (const auto& [name, tensor] : reference.parameters) {
      const Tensor& other = out.parameters.find(name)->second;
      EXPECT_TRUE(std::equal(tensor.bytes().begin(), tensor.bytes().end(), other.bytes().begin()))
          << name;
    }
  }
}

}  // namespace
}  // namespace aftune::golden
