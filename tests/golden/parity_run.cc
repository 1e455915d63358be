// SPDX-License-Identifier: Apache-2.0
#include "golden/parity_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "aftune/base/check.h"
#include "aftune/numerics/loss.h"

namespace aftune::golden {
namespace {

class NoObserver final : public train::StepObserver {
 public:
  Status on_edge(const train::EdgeId&, train::EdgeTensor) override { return ok(); }
  Status before_update(std::uint32_t) override { return ok(); }
};

Result<const TensorView*> int_tensor(const SafetensorsFile& file, const char* name) {
  const TensorView* view = file.find(name);
  if (view == nullptr || view->dtype != Dtype::kI32 || view->shape.size() != 3) {
    return Error{Code::kInvalidInput, fmt::format("{}: no int32 tensor of rank 3", name)};
  }
  return view;
}

std::vector<std::int32_t> ints(const TensorView& view, std::size_t step) {
  std::vector<std::int32_t> out(view.shape[1] * view.shape[2]);
  const std::size_t size = out.size() * sizeof(std::int32_t);
  std::memcpy(out.data(), view.bytes.data() + step * size, size);
  return out;
}

model::MicroBatch rows_of(const Batches& batches, std::size_t step, std::size_t first,
                          std::size_t count) {
  const auto cut = [&](const std::vector<std::int32_t>& all) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first * batches.sequence);
    return std::vector<std::int32_t>(begin,
                                     begin + static_cast<std::ptrdiff_t>(count * batches.sequence));
  };
  const auto& targets = batches.targets[step];
  const auto ignored = std::count(targets.begin(), targets.end(), numerics::kIgnoredLabel);
  return {count, batches.sequence, cut(batches.tokens[step]), cut(targets),
          targets.size() - static_cast<std::uint64_t>(ignored)};
}

std::vector<model::MicroBatch> micro_batches(const Batches& batches, std::size_t step,
                                             std::size_t micro_batch) {
  const std::size_t most = micro_batch == 0 ? batches.rows : micro_batch;
  std::vector<model::MicroBatch> out;
  for (std::size_t row = 0; row < batches.rows; row += most) {
    out.push_back(rows_of(batches, step, row, std::min(most, batches.rows - row)));
  }
  return out;
}

std::vector<train::BlockState> initial_states(const Job& job, const model::LlamaConfig& config,
                                              const model::Partition& partition, TensorMap all) {
  std::vector<train::BlockState> states;
  for (std::uint32_t block = 0; block < partition.block_count; ++block) {
    TensorMap own;
    for (const auto& spec : model::block_parameters(config, partition, block)) {
      own.insert(all.extract(spec.name));
    }
    states.push_back(train::initial_state(job.spec.optimizer, std::move(own)));
  }
  AFTUNE_CHECK(all.empty(), "a parameter belongs to no block");
  return states;
}

}  // namespace

Result<Batches> read_batches(const SafetensorsFile& file) {
  AFTUNE_TRY(const TensorView* tokens, int_tensor(file, "tokens"));
  AFTUNE_TRY(const TensorView* targets, int_tensor(file, "targets"));
  if (tokens->shape != targets->shape) {
    return Error{Code::kInvalidInput,
                 fmt::format("tokens are {}, targets {}", to_string(tokens->shape),
                             to_string(targets->shape))};
  }
  Batches out;
  out.rows = tokens->shape[1];
  out.sequence = tokens->shape[2];
  for (std::size_t step = 0; step < tokens->shape[0]; ++step) {
    out.tokens.push_back(ints(*tokens, step));
    out.targets.push_back(ints(*targets, step));
  }
  return out;
}

Result<std::vector<std::vector<model::MicroBatch>>> read_image_steps(
    const SafetensorsFile& file, const model::LlamaConfig& config, std::size_t most) {
  const TensorView* pixels = file.find("pixels");
  const TensorView* classes = file.find("classes");
  const model::VisionConfig& v = *config.vision;
  if (pixels == nullptr || classes == nullptr || classes->shape.size() != 2 ||
      classes->dtype != Dtype::kI32 || pixels->dtype != Dtype::kU8 ||
      pixels->shape !=
          Shape{classes->shape[0], classes->shape[1], v.channels, v.image_size, v.image_size}) {
    return Error{Code::kInvalidInput, "no pixels and classes of this model's images"};
  }
  const std::size_t rows = classes->shape[1];
  std::vector<std::vector<model::MicroBatch>> out(classes->shape[0]);
  for (std::size_t i = 0; i < out.size() * rows; ++i) {
    auto& step = out[i / rows];
    if (step.empty() || step.back().rows == most) {
      step.push_back({0, config.max_positions, {}, {}, rows});
    }
    model::MicroBatch& batch = step.back();
    const Bytes image = pixels->bytes.subspan(i * v.image_values(), v.image_values());
    batch.pixels.insert(batch.pixels.end(), image.begin(), image.end());
    std::int32_t label = 0;
    std::memcpy(&label, classes->bytes.data() + i * sizeof(label), sizeof(label));
    batch.targets.push_back(label);
    ++batch.rows;
  }
  return out;
}

Result<Job> read_job(const codec::Json& json) {
  Job job;
  AFTUNE_TRY(auto reader, codec::JsonReader::open(json, "job"));
  AFTUNE_TRY(auto optimizer, reader.object("optimizer"));
  AFTUNE_TRY(job.spec.optimizer, train::optimizer_from_contract(optimizer));
  AFTUNE_TRY(auto schedule, reader.object("schedule"));
  AFTUNE_TRY(job.spec.schedule, train::schedule_from_contract(schedule));
  AFTUNE_TRY(auto clip, reader.object("clip"));
  AFTUNE_TRY(job.spec.clip, train::clip_from_contract(clip));
  return job;
}

Result<Model> load_model(const Path& folder) {
  AFTUNE_TRY(const model::ModelFolder files, model::open_model_folder(folder));
  Model out;
  out.llama.config = files.config;
  const TensorView* table = files.tables.find(model::table_spec(files.config).name);
  AFTUNE_CHECK(table != nullptr, "a checked folder without its table");
  out.llama.inv_freq = Tensor::copy_of(*table);
  AFTUNE_TRY(out.parameters, model::load_parameters(files, model::parameter_specs(files.config)));
  return out;
}

Model copy_of(const Model& model) {
  Model out{{model.llama.config, model.llama.inv_freq.clone()}, {}};
  for (const auto& [name, tensor] : model.parameters) out.parameters.emplace(name, tensor.clone());
  return out;
}

Result<Outcome> run(const numerics::Engine& engine, Model model, const Job& job,
                    const Batches& batches) {
  std::vector<std::vector<model::MicroBatch>> steps;
  for (std::size_t step = 0; step < batches.tokens.size(); ++step) {
    steps.push_back(micro_batches(batches, step, job.micro_batch));
  }
  return run(engine, std::move(model), job, steps, rows_of(batches, 0, 0, batches.rows));
}

Result<Outcome> run(const numerics::Engine& engine, Model model, const Job& job,
                    const std::vector<std::vector<model::MicroBatch>>& steps,
                    const model::MicroBatch& first) {
  Outcome out;
  const auto partition = model::make_partition(model.llama.config, job.layers_per_block);
  AFTUNE_TRY(out.logits, model::forward_logits(engine, model.llama, model.parameters, first));
  auto states = initial_states(job, model.llama.config, partition, std::move(model.parameters));
  std::vector<train::BlockStep> blocks;
  for (std::uint32_t block = 0; block < states.size(); ++block) {
    blocks.emplace_back(engine, model.llama, partition, block, states[block]);
  }
  NoObserver nobody;
  for (std::size_t step = 0; step < steps.size(); ++step) {
    AFTUNE_TRY(const auto done,
               train::run_step(job.spec, step, partition, steps[step], blocks, nobody));
    out.losses.push_back(done.loss());
    out.norms.push_back(done.norm);
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

void Distance::add(std::span<const float> got, std::span<const float> want) {
  AFTUNE_CHECK(got.size() == want.size(), "sizes differ");
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double difference = static_cast<double>(got[i]) - static_cast<double>(want[i]);
    difference_ += difference * difference;
    size_ += static_cast<double>(want[i]) * static_cast<double>(want[i]);
  }
}

void Distance::add(std::span<const float> got, std::span<const float> want,
                   std::span<const float> start) {
  AFTUNE_CHECK(got.size() == want.size() && got.size() == start.size(), "sizes differ");
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double difference = static_cast<double>(got[i]) - static_cast<double>(want[i]);
    const double way = static_cast<double>(want[i]) - static_cast<double>(start[i]);
    difference_ += difference * difference;
    size_ += way * way;
  }
}

double Distance::relative() const { return std::sqrt(difference_ / size_); }

}  // namespace aftune::golden
