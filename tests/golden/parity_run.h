// SPDX-License-Identifier: Apache-2.0
// A model trained for a few steps by the trainer's own step, with the numbers on the way that
// another implementation can be compared with. For tests; not part of the program.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "aftune/codec/json.h"
#include "aftune/model/model_folder.h"
#include "aftune/train/step.h"

namespace aftune::golden {

/// One batch a step, rows padded on the right.
struct Batches {
  std::size_t rows = 0;
  std::size_t sequence = 0;
  std::vector<std::vector<std::int32_t>> tokens;
  std::vector<std::vector<std::int32_t>> targets;
};

/// From int32 tensors `tokens` and `targets` [steps, rows, sequence].
/// Errors: kInvalidInput for a missing tensor, another type, or shapes that differ.
Result<Batches> read_batches(const SafetensorsFile& file);

/// Micro-batches of each step, of at most `most` images, from `pixels` U8 [steps, rows, channels,
/// side, side] and `classes` int32 [steps, rows]. Errors: kInvalidInput for anything else.
Result<std::vector<std::vector<model::MicroBatch>>> read_image_steps(
    const SafetensorsFile& file, const model::LlamaConfig& config, std::size_t most);

/// How the batches are trained. The last two change no bit and few bits: they are parts of a run.
struct Job {
  train::TrainSpec spec;
  std::uint32_t layers_per_block = 1;
  std::size_t micro_batch = 0;  // rows; 0: the whole batch
};

/// From an object with the members optimizer, schedule and clip of docs/formats/training.md;
/// other members are left alone. Errors: kInvalidInput, kUnsupported.
Result<Job> read_job(const codec::Json& json);

struct Outcome {
  Tensor logits;              // [rows * sequence, vocabulary] of step 0
  std::vector<float> losses;  // one a step
  std::vector<double> norms;  // of the whole gradient, before clipping
  TensorMap gradients;        // of step 0, before clipping
  TensorMap parameters;       // after the last step
};

/// What training starts from.
struct Model {
  model::Llama llama;
  TensorMap parameters;
};
Result<Model> load_model(const Path& folder);
Model copy_of(const Model& model);

/// Errors: as segment_forward and run_step.
Result<Outcome> run(const numerics::Engine& engine, Model model, const Job& job,
                    const Batches& batches);

/// As above, of any micro-batches, those of each step; the logits are those of `first`.
Result<Outcome> run(const numerics::Engine& engine, Model model, const Job& job,
                    const std::vector<std::vector<model::MicroBatch>>& steps,
                    const model::MicroBatch& first);

/// Frobenius norm of a difference, relative to that of what is expected.
class Distance {
 public:
  /// Requires: equal sizes.
  void add(std::span<const float> got, std::span<const float> want);
  /// Relative to the way from `start` to `want`.
  void add(std::span<const float> got, std::span<const float> want, std::span<const float> start);
  [[nodiscard]] double relative() const;

 private:
  double difference_ = 0;
  double size_ = 0;
};

}  // namespace aftune::golden
